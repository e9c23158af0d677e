"""What a configuration protects, in a form that can be kept, compared and signed; pure."""
