"""Items → stories: which items tell of the same event, in any language. Pure: no clock, no database."""
