"""Load-test a server that speaks OpenAI's API."""
