"""A small model trained here: tokenise, batch, forward, loss, backward, step."""
