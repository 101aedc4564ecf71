"""The steps of a quote: each takes what the one before found and writes its working."""
