"""What this machine is and what it reaches: processor, memory, accelerators, meters."""
