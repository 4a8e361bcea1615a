"""Tools that explore interleavings: scenarios, actions, models, broken cells, and the explorer."""
