"""When to poll a feed, and how to fetch it: politely, bounded, and never from an address that is not public."""
