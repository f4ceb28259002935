"""The access walk: one world, one table of rights, and what compares them with every route."""
