// The suites of the outbox library.
