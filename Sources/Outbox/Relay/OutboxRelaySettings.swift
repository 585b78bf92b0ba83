public import Ports

/// Settings of an ``OutboxRelay``.
public struct OutboxRelaySettings: Sendable {
    /// The replication slot; one for each database, and one relay at a time consumes it.
    public var slotName: String
    /// The most transactions that are published together.
    public var maximumTransactionsPerBatch = 500
    /// How long the relay waits for changes before it looks after its heartbeat.
    public var pollTimeout: Nanoseconds = .seconds(1)
    /// How long the first transactions wait for others, so that they share requests; zero for not at all. Worth it where
    /// each request costs a broker much.
    public var gatherTime: Nanoseconds = .zero
    /// Without anything to confirm for this long, the relay writes a heartbeat so that the slot does not pin the log.
    public var heartbeatInterval: Nanoseconds = .seconds(10)
    /// Rows of one page when the outbox is published from its table.
    public var snapshotPageRowCount = 1_000
    /// Between attempts to reach a database or broker.
    public var backoff = Backoff(firstDelay: .milliseconds(100), maximumDelay: .seconds(5))
    /// Idempotent, acks=all, at most five requests in flight: nothing else keeps order and loses nothing.
    public var producer: ProducerSettings
    package var mistakes: PlantedMistakes = []
    /// Types of events that are left out: a mistake, since whoever reads a topic later may want them.
    package var omittedEventTypes: [String] = []

    public init(slotName: String) {
        self.slotName = slotName
        producer = ProducerSettings(clientID: slotName)
        // A batch is sent whole, so there is no company to wait for.
        producer.linger = .zero
    }
}
