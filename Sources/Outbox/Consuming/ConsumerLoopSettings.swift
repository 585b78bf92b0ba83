public import Ports

/// Settings of an ``EventConsumerLoop``.
public struct ConsumerLoopSettings: Sendable {
    /// The consumer's name: its group id, and its key in the inbox. Must never change.
    public var consumerName: String
    /// Names this member of the group in logs of the brokers.
    public var clientID: String
    /// Topics to subscribe to.
    public var topics: [String]
    /// The most records of one poll, which are one transaction.
    public var maximumRecordsPerPoll = 500
    public var pollTimeout: Nanoseconds = .milliseconds(500)
    /// Offsets are committed at most this often, always after the database; what a crash repeats the inbox absorbs.
    public var offsetCommitInterval: Nanoseconds = .milliseconds(500)
    /// How long one poll's records may take before the loop gives them up and polls again, so that it stays in its group.
    /// Keep it well below `max.poll.interval.ms`.
    public var maximumBatchTime: Nanoseconds = .seconds(60)
    /// How often an event is tried before it becomes a dead letter. Retries of a failing database do not count.
    public var attemptsBeforeDeadLetter = 4
    /// Between those attempts, and between attempts to reach a failing broker.
    public var backoff = Backoff(firstDelay: .milliseconds(50), maximumDelay: .seconds(2))
    /// How often parked events are looked through for those that can be applied by now.
    public var parkedReplayInterval: Nanoseconds = .seconds(10)
    /// Types of events that are passed over although the handler does not know them: those of a newer release that do not
    /// concern this consumer. Without being named here they are parked, and with them what follows of their aggregates.
    public var ignoredEventTypes: [String] = []
    /// Group membership and fetching. Its client and group ids are set from those above.
    public var consumer: ConsumerSettings
    package var mistakes: PlantedMistakes = []

    public init(consumerName: String, clientID: String, topics: [String]) {
        self.consumerName = consumerName
        self.clientID = clientID
        self.topics = topics
        consumer = ConsumerSettings(clientID: clientID, groupID: consumerName)
    }
}
