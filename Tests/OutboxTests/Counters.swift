import Outbox
import PortFakes
import Ports
import Synchronization

@testable import Outbox

/// A domain as small as can be: counters, to which events add.
enum CountersTable {
    static let table = Table(
        "counters", columns: [.column("id", .uuid), .column("total", .int64), .column("version", .int64)],
        primaryKey: ["id"], checks: [("total", { [$0[1] <= 1_000] })])
    static let id = table.column("id")
    static let total = table.column("total")
    static let version = table.column("version")
    static let keyed = KeyedTable(table, key: id)
}

/// Adds `amount` of `Added` to the counter named by the aggregate id, and tells of it; ignores `Seen`.
final class CounterHandler: EventHandler {
    let identifiers: any Identifiers
    /// Types that this version knows beside `Added` and `Seen`.
    let alsoKnown: Set<String>
    private let commits = Mutex<[[Int64]]>([])
    private let applyCalls = Mutex<[Int]>([])

    init(_ identifiers: any Identifiers, alsoKnown: Set<String> = []) {
        self.identifiers = identifiers
        self.alsoKnown = alsoKnown
    }

    /// The totals that each commit told of.
    var committed: [[Int64]] { commits.withLock { $0 } }
    /// How many events each call of `apply` had.
    var batchSizes: [Int] { applyCalls.withLock { $0 } }

    func interest(in type: String, version: Int64) -> EventInterest {
        if type == "Added" || alsoKnown.contains(type) { return .handled }
        return type == "Seen" ? .ignored : .unknown
    }

    func loads(for events: [Event]) throws -> [Statement] {
        [CountersTable.keyed.selectForUpdate(events.compactMap(\.aggregateUUID))]
    }

    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws -> [Int64] {
        applyCalls.withLock { $0.append(events.count) }
        var counters = LockedRows(CountersTable.keyed, loaded[loaded.startIndex].rows)
        var totals: [Int64] = []
        for event in events {
            guard let id = event.aggregateUUID, let amount = event.payload["amount"]?.integerValue else {
                throw MalformedEvent(event, field: "amount", expected: "an integer")
            }
            if counters.position(of: id) == nil { counters.insert(Row([.uuid(id), 0, 0])) }
            guard let position = counters.position(of: id) else { continue }
            if amount == 0 {
                work.ignore(event, by: "counter", because: "nothing to add")
                continue
            }
            counters.update(at: position) { row in
                row.values[1] = .int64(row.int64(CountersTable.total) + amount)
                row.values[2] = .int64(row.int64(CountersTable.version) + 1)
            }
            totals.append(counters[position].int64(CountersTable.total))
            work.publish(
                OutboundEvent(
                    id: identifiers.next(), aggregateType: "counted", aggregateID: event.aggregateID, type: "Counted",
                    occurredAt: work.now, aggregateVersion: counters[position].int64(CountersTable.version),
                    payload: ["total": .integer(counters[position].int64(CountersTable.total))]),
                causedBy: event.asCause)
        }
        counters.write(into: &work)
        return totals
    }

    func didCommit(_ totals: [Int64]) { commits.withLock { $0.append(totals) } }
}

/// One consumer of counters on ports in memory.
final class CounterConsumer {
    static let topic = "outbox.event.counter"

    let clock = ManualClock()
    let identifiers = CountingIdentifiers()
    let log = MemoryLog()
    let database: MemoryDatabase
    let eventLog: MemoryEventLog
    let handler: CounterHandler
    let loop: EventConsumerLoop<CounterHandler>
    var session: EventConsumerLoop<CounterHandler>.Session

    init(
        alsoKnown: Set<String> = [], on other: CounterConsumer? = nil,
        _ change: (inout ConsumerLoopSettings) -> Void = { _ in },
        database replace: (MemoryDatabase) -> any Database = { $0 }
    ) async throws {
        database =
            other?.database
            ?? MemoryDatabase(Schema(name: "counter", version: 1, tables: [CountersTable.table] + OutboxSchema.tables))
        eventLog = other?.eventLog ?? MemoryEventLog(topics: [Self.topic, "outbox.event.counted"])
        handler = CounterHandler(identifiers, alsoKnown: alsoKnown)
        var settings = ConsumerLoopSettings(consumerName: "counter", clientID: "counter-1", topics: [Self.topic])
        settings.offsetCommitInterval = .zero
        settings.parkedReplayInterval = .zero
        change(&settings)
        let ports = ServicePorts(
            database: replace(database), eventLog: eventLog, clock: clock, identifiers: identifiers, log: log)
        loop = EventConsumerLoop(handler, settings: settings, ports: ports)
        session = try await loop.open()
    }

    func poll() async throws { try await loop.pollOnce(&session) }

    /// Publishes an event as the relay would. Returns its id.
    @discardableResult
    func publish(
        _ type: String = "Added", to counter: UniqueID, amount: JSONValue = 1, id: UniqueID? = nil,
        version: String = "1"
    ) -> UniqueID {
        let id = id ?? UniqueID(high: 7, low: identifiers.next().low)
        eventLog.append(
            ProducerRecord(
                topic: Self.topic, key: counter.description, value: .json(["amount": amount]),
                headers: [
                    RecordHeader("id", id.description), RecordHeader("eventType", type),
                    RecordHeader("eventVersion", version), RecordHeader("aggregateId", counter.description),
                    RecordHeader("occurredAt", "0"), RecordHeader("causationId", "c"),
                    RecordHeader("correlationId", "story"), RecordHeader("traceparent", "00-trace"),
                ]))
        return id
    }

    var deadLetterCount: Int { outbox.count { $0.text(OutboxTable.type) == "EventDeadLettered" } }

    func total(_ counter: UniqueID) -> Int64? {
        database.rows(of: CountersTable.table).first { $0.uuid(CountersTable.id) == counter }?.int64(
            CountersTable.total)
    }

    var outbox: [Row] { database.rows(of: OutboxTable.table) }
    var inbox: [Row] { database.rows(of: InboxTable.table) }
    var parked: [Row] {
        database.rows(of: ParkedEventsTable.table).sorted {
            $0.int64(ParkedEventsTable.position) < $1.int64(ParkedEventsTable.position)
        }
    }
}
