"""What a statement touches: which column each parameter, literal and output belongs to; pure."""
