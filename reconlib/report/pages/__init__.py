"""What the four pages show, as small tables: pure functions; nothing here decides anything about billing."""
