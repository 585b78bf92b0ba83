public import Outbox
public import Ports

/// The notification service: a feed of what happens to orders, for customers and for the web page.
public struct NotificationService: ShopService {
    public static let name = "notification"
    public static let defaultPort = 8088
    public static let schema = Schema(
        name: name, version: 2,
        tables: [FeedTable.table, FeedLengthTable.table, IdempotencyTable.table] + OutboxSchema.tables)
    /// Only dead letters: the service announces nothing of its own.
    public static let producedTopics: [String] = []
    public static let consumedTopics = [AggregateType.topic(AggregateType.order)]

    private let ports: ServicePorts
    private let settings: ShopSettings
    let consumer: EventConsumerLoop<NotificationEventHandler>
    private let subscribers: FeedSubscribers
    let housekeeping: Housekeeping
    public let handler: any HTTPHandler

    public init(_ ports: ServicePorts, settings: ShopSettings = ShopSettings()) {
        self.ports = ports
        self.settings = settings
        subscribers = FeedSubscribers()
        handler = NotificationHTTP(
            ports: ports, settings: settings, runner: CommandRunner(ports, settings), subscribers: subscribers)
        consumer = EventConsumerLoop(
            NotificationEventHandler(settings: settings, subscribers: subscribers),
            settings: settings.consumerLoop(Self.name, topics: Self.consumedTopics), ports: ports)
        housekeeping = Housekeeping(
            ports, settings,
            archive: Archive(FeedTable.table, id: FeedTable.position, finishedAt: FeedTable.createdAt))
    }

    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { try await housekeeping.run(Self.name) }
            group.addTask {
                try await runPeriodically(
                    "feed subscribers", every: settings.subscriberCheckInterval, ports, job: wakeSubscribers)
            }
            try await group.next()
            group.cancelAll()
        }
    }

    public func replayParked(aggregateID: String) async throws -> Int {
        try await consumer.replayParked(aggregateID: aggregateID)
    }

    /// Lets streams know of notifications that another instance wrote.
    private func wakeSubscribers() async throws {
        if subscribers.isEmpty { return }
        let length = try await ports.database.executeAtomically([.select(FeedLengthTable.select)])[0].rows.first
        if let length { subscribers.wake(unlessSeen: length.int64(FeedLengthTable.length)) }
    }
}

/// The HTTP interface of the notification service.
struct NotificationHTTP: HTTPHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let runner: CommandRunner
    let subscribers: FeedSubscribers

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await HTTPSupport.answer(ports, request, NotificationService.operations) { try await route(request) }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = HTTPSupport.segments(of: request)
        guard path.first == "notifications", request.method == .get else {
            throw NoSuchRoute()
        }
        switch path.count {
        case 1: return try await list(request)
        case 2 where path[1] == "subscribe": return try subscribe(request)
        default: throw NoSuchRoute()
        }
    }

    /// `GET /notifications?after=&limit=`: the notifications after a position, oldest first.
    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        var limit = settings.defaultPageRowCount
        if let text = request.queryParameter("limit") {
            guard let asked = Int(text), (1...settings.maximumPageRowCount).contains(asked) else {
                throw ProblemDocument.invalid("limit", "must be an integer from 1 to \(settings.maximumPageRowCount)")
            }
            limit = asked
        }
        var after: Int64 = 0
        if let text = request.queryParameter("after") {
            guard let position = Int64(text), position >= 0 else {
                throw ProblemDocument.invalid("after", "must be the id of a notification")
            }
            after = position
        }
        let rows = try await runner.query([
            .select(
                Select(
                    from: FeedTable.table, where: [FeedTable.position > .int64(after)],
                    orderedBy: [.ascending(FeedTable.position)], limit: limit))
        ])[0].rows
        return HTTPResponse(200, body: .json(.object([JSONMember("items", .array(rows.map(Self.json)))])))
    }

    /// `GET /notifications/subscribe?orderId=`: the feed, whole or of one order, from the notification after
    /// `Last-Event-ID` on.
    private func subscribe(_ request: HTTPRequest) throws -> HTTPResponse {
        let lastSeen = try Int64(lastEventIDOf: request)
        var orderID: UniqueID?
        if let text = request.queryParameter("orderId") {
            guard let id = UniqueID(text) else { throw ProblemDocument.invalid("orderId", "must be a UUID") }
            orderID = id
        }
        return HTTPResponse(
            200,
            body: .events { [orderID] sink in
                let subscription = subscribers.subscribe(toOrder: orderID, seen: lastSeen)
                defer { subscribers.unsubscribe(subscription) }
                var stream = FeedStream(
                    orderID: orderID, lastPosition: lastSeen, runner: runner, settings: settings,
                    subscription: subscription)
                try await stream.run(sink)
            })
    }

    /// A notification as clients see it.
    static func json(_ row: Row) -> JSONValue {
        .object([
            JSONMember("id", .integer(row.int64(FeedTable.position))),
            JSONMember("orderId", .string(row.uuid(FeedTable.orderID).description)),
            JSONMember("type", .string(row.text(FeedTable.eventType))),
            JSONMember("status", .string(row.text(FeedTable.status))),
            JSONMember("statusDescription", .string(row.text(FeedTable.statusDescription))),
            JSONMember("createdAt", WireFormat.timestamp(row.timestamp(FeedTable.createdAt))),
        ])
    }
}
