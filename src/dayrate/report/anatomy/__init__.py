"""An anatomy as people read it: a page of text, a document, a figure."""
