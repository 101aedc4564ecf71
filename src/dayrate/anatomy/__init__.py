"""Where every FLOP, byte and cent of a request goes, part by part of the network."""
