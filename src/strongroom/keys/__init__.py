"""Keys: the model (pure), the store that keeps them wrapped, and the roots that wrap them."""
