public import Outbox
public import Ports

/// Every knob of the shop, with the protocol's defaults. Units are in the types or names.
public struct ShopSettings: Sendable {
    /// Tells the instances of one service apart in client ids and logs.
    public var instanceName = "1"
    /// ISO 4217 code of all prices.
    public var currency = "USD"

    // MARK: Orders
    /// Lines that one order may have.
    public var maximumLinesPerOrder = 100
    /// Pieces that one line may ask for.
    public var maximumQuantityPerLine: Int64 = 10_000
    /// The longest name or other text that a request may carry, in UTF-8 bytes.
    public var maximumTextByteCount = 500
    /// The largest request body; above it the answer is 413.
    public var maximumBodyByteCount = 65_536
    /// Rows of a page when the client does not say, and at most.
    public var defaultPageRowCount = 20
    public var maximumPageRowCount = 100

    // MARK: Payments
    /// How long a payment may stay unpaid.
    public var paymentLifetime: Nanoseconds = .seconds(60)
    /// How often overdue payments are looked for.
    public var expirySweepInterval: Nanoseconds = .seconds(15)
    /// How often unsettled gateway attempts are looked for.
    public var reconciliationInterval: Nanoseconds = .seconds(2)
    /// How long a started attempt is left alone before the gateway is asked what became of it.
    public var reconciliationDelay: Nanoseconds = .seconds(10)
    /// How long after its start a capture may still take effect at the gateway; until then an attempt that the gateway
    /// does not know stays under watch.
    public var gatewayHorizon: Nanoseconds = .minutes(10)

    // MARK: Shipping
    /// From the request for a shipment to its dispatch.
    public var dispatchDelay: Nanoseconds = .seconds(2)
    /// From dispatch to delivery.
    public var deliveryDelay: Nanoseconds = .seconds(3)
    /// How often shipments that are due are looked for.
    public var shippingSweepInterval: Nanoseconds = .milliseconds(500)

    // MARK: Subscribers
    /// How often subscribers are checked against the database for what other instances wrote.
    public var subscriberCheckInterval: Nanoseconds = .seconds(1)

    // MARK: Retention
    /// How often the janitor runs.
    public var janitorInterval: Nanoseconds = .minutes(1)
    public var janitor = OutboxJanitor()
    /// How long an answer to an idempotency key is kept.
    public var idempotencyRetention: Nanoseconds = .hours(24)
    /// How long finished orders, payments, reservations, shipments and notifications stay. Longer than any event can be
    /// late, or a late event finds nothing.
    public var archiveRetention: Nanoseconds = .hours(24 * 30)
    /// Rows that one transaction of the archive job takes.
    public var archiveBatchRowCount = 1_000

    // MARK: Databases and event log
    /// How long a command may try before it answers 503.
    public var commandTimeLimit: Nanoseconds = .seconds(5)
    /// Rows that one transaction of a sweeper takes.
    public var sweepBatchRowCount = 500
    /// The consumer loops' settings, but for names and topics, which each service sets.
    public var consumerLoop = ConsumerLoopSettings(consumerName: "", clientID: "", topics: [])

    /// Mistakes planted on purpose; see ``PlantedMistakes``.
    package var mistakes: PlantedMistakes = [] {
        didSet { consumerLoop.mistakes = mistakes }
    }

    public init() {}

    /// The loop settings of one service's consumer.
    func consumerLoop(_ name: String, topics: [String]) -> ConsumerLoopSettings {
        var loop = consumerLoop
        loop.consumerName = name
        loop.clientID = "\(name)-\(instanceName)"
        loop.topics = topics
        return loop
    }
}
