import PortFakes
import Ports
import SimCore
import Testing

@testable import Domain
@testable import Outbox

/// Records as Debezium's event router and the relay write them, damaged in every part: whatever comes, each is applied or
/// set aside, no partition stands still behind it, and honest orders go on.
@Suite struct DamagedEventTests {
    private static let topics = ["order", "payment", "inventory", "shipping"].map(AggregateType.topic)

    /// What a shop told while orders were completed, cancelled, refused for want of stock, and left unpaid.
    private static func honestRecords() async throws -> [ConsumerRecord] {
        let shop = try await TestShop()
        let product = try await shop.stock(quantity: 3)
        let paid = await shop.place(product)
        let cancelled = await shop.place(product)
        _ = await shop.place(product, method: "CASH")
        _ = await shop.place(product)
        try await shop.settle()
        _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(paid))/pay")
        _ = await shop.post(shop.order, "/orders/\(cancelled)/cancel")
        for _ in 0..<4 { try await shop.wait(.hours(12)) }
        return topics.flatMap { shop.eventLog.records(of: $0) }
    }

    @Test("A damaged event is applied or set aside, and holds up nobody", arguments: 0..<24)
    func damage(_ seed: UInt64) async throws {
        let honest = try await Self.honestRecords()
        let shop = try await TestShop { $0.consumerLoop.attemptsBeforeDeadLetter = 1 }
        let product = try await shop.stock(quantity: 100)
        var vandal = Vandal(seed: seed, honest: honest)
        for _ in 0..<80 { shop.eventLog.append(vandal.nextRecord()) }
        try await shop.settle()

        let log = shop.eventLog
        Self.account(for: log, shop.order.consumer, shop.orderDatabase, seed)
        Self.account(for: log, shop.payment.consumer, shop.paymentDatabase, seed)
        Self.account(for: log, shop.inventory.consumer, shop.inventoryDatabase, seed)
        Self.account(for: log, shop.shipping.consumer, shop.shippingDatabase, seed)
        Self.account(for: log, shop.notification.consumer, shop.notificationDatabase, seed)
        for _ in 0..<4 {
            let order = await shop.place(product)
            try await shop.settle()
            _ = await shop.post(shop.payment, "/payments/\(await shop.paymentID(order))/pay")
            for _ in 0..<4 { try await shop.wait(.seconds(5)) }
            #expect(await shop.status(order) == "COMPLETED", "seed \(seed)")
        }
    }
}

extension DamagedEventTests {
    /// Every record of a consumer's topics is behind it, and was applied, or set aside and told of, or is no concern of it.
    private static func account<Handler>(
        for log: MemoryEventLog, _ loop: EventConsumerLoop<Handler>, _ database: MemoryDatabase, _ seed: UInt64
    ) {
        typealias Parked = ParkedEventsTable
        let name = loop.settings.consumerName
        let applied = Set(database.rows(of: InboxTable.table).map { $0.uuid(InboxTable.eventID) })
        let parked = database.rows(of: Parked.table)
        let parkedIDs = Set(parked.map { $0.uuid(Parked.eventID) })
        let places = parked.map {
            "\($0.text(Parked.topic))-\($0.int64(Parked.topicPartition)) \($0.int64(Parked.recordOffset))"
        }
        for topic in loop.settings.topics {
            for (partition, records) in Dictionary(grouping: log.records(of: topic), by: \.topicPartition) {
                #expect(
                    log.committedOffset(name, partition) ?? 0 == Int64(records.count),
                    "\(name) stands still at \(partition), seed \(seed)")
                for record in records {
                    let headers = EnvelopeHeaders(record)
                    if let type = headers.type, let version = headers.version,
                        loop.applier.interest(in: type, version: version) == .ignored
                    {
                        continue
                    }
                    let id = headers.id.flatMap { UniqueID($0) }
                    #expect(
                        id.map { applied.contains($0) || parkedIDs.contains($0) } ?? false
                            || places.contains("\(partition) \(record.offset)"),
                        "\(name) neither applied nor set aside \(partition) offset \(record.offset), seed \(seed)")
                }
            }
        }
        let letters = database.rows(of: OutboxTable.table).count { $0.text(OutboxTable.type) == "EventDeadLettered" }
        let dead = parked.count { $0.text(Parked.state) == ParkedState.dead.rawValue }
        #expect(letters == dead, "dead letters of \(name), seed \(seed)")
    }
}

/// Takes honest records and changes them: one part, or several.
private struct Vandal {
    private var bits: SplitMix64
    private let honest: [ConsumerRecord]

    init(seed: UInt64, honest: [ConsumerRecord]) {
        bits = SplitMix64(seed: seed)
        self.honest = honest
    }

    mutating func nextRecord() -> ProducerRecord {
        let original = pick(honest)
        var record = ProducerRecord(
            topic: original.topicPartition.topic, key: original.key, value: original.value, headers: original.headers)
        if bits.next(below: 2) == 0 { record.headers.insert(contentsOf: Self.headersOfDebezium, at: 0) }
        // Most need an id of their own, or the inbox would pass over them as repeated.
        if bits.next(below: 8) != 0 {
            set(EventHeader.id, UniqueID(high: bits.next(), low: bits.next()).description, &record)
        }
        for _ in 0...bits.next(below: 3) { damage(&record) }
        return record
    }

    private static let headersOfDebezium = ["connectorLogicalName", "taskId", "connectorName", "runId"].map {
        RecordHeader("__debezium.context.\($0)", "shop")
    }

    private mutating func damage(_ record: inout ProducerRecord) {
        switch bits.next(below: 9) {
        case 0: record.key = bits.next(below: 2) == 0 ? nil : text()
        case 1: record.value = nil
        case 2: record.value = .bytes((0..<bits.next(below: 40)).map { _ in UInt8(truncatingIfNeeded: bits.next()) })
        case 3:
            if !record.headers.isEmpty {
                record.headers.remove(at: Int(bits.next(below: UInt64(record.headers.count))))
            }
        case 4: set(pick(record.headers.map(\.name) + ["unknown"]), text(), &record)
        case 5: set(EventHeader.type, pick(ShopEventType.allCases).rawValue, &record)
        case 6: set(EventHeader.aggregateID, UniqueID(high: bits.next(), low: bits.next()).description, &record)
        default: if case .json(let payload) = record.value { record.value = .json(damaged(payload)) }
        }
    }

    private func set(_ name: String, _ value: String, _ record: inout ProducerRecord) {
        let header = RecordHeader(name, value)
        if let place = record.headers.firstIndex(where: { $0.name == name }) {
            record.headers[place] = header
        } else {
            record.headers.append(header)
        }
    }

    /// One value of a document is taken out or replaced.
    private mutating func damaged(_ document: JSONValue) -> JSONValue {
        switch document {
        case .object(var members) where !members.isEmpty && bits.next(below: 8) != 0:
            let place = Int(bits.next(below: UInt64(members.count)))
            if bits.next(below: 4) == 0 {
                members.remove(at: place)
            } else {
                members[place] = JSONMember(members[place].name, damaged(members[place].value))
            }
            return .object(members)
        case .array(var values) where !values.isEmpty && bits.next(below: 4) != 0:
            let place = Int(bits.next(below: UInt64(values.count)))
            values[place] = damaged(values[place])
            if bits.next(below: 3) == 0 { values.append(values[place]) }
            return .array(values)
        default: return value()
        }
    }

    private mutating func value() -> JSONValue {
        let deep = (0..<200).reduce(JSONValue.null) { inner, _ in .array([inner]) }
        return pick([
            .null, .bool(true), .integer(0), .integer(-1), .integer(.max), .integer(.min),
            .decimal(unscaled: .max, scale: 2),
            .decimal(unscaled: 1, scale: 255), .string(text()), .array([]), .object([]), deep,
        ])
    }

    private mutating func text() -> String {
        pick([
            "", " ", "1", "-1", "9223372036854775808", "\0", "a\0b", "\u{FFFF}", "'; DROP TABLE orders; --",
            String(repeating: "x", count: 300), String(repeating: "x", count: 3_000),
            "00000000-0000-0000-0000-000000000000", "e\u{301}\u{202E}",
        ])
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int(bits.next(below: UInt64(elements.count)))]
    }
}
