import Outbox
public import Ports

/// The stock property, step by step: after every committed transaction, each item's pieces add up, none is negative, and
/// what orders hold is what the item says is held. No oversell follows from these.
///
/// Costs nothing for transactions that touch no stock, and about 200 ns for each item or reservation that one touches.
public struct StockAccumulator: Sendable {
    private struct Item {
        let id: UniqueID
        var available: Int64
        var reserved: Int64
        var committed: Int64
        var stocked: Int64
        /// Initial stock and restocking, counted from the restocks themselves.
        var expectedStocked: Int64
        /// What reservations hold, by their own lines.
        var reservedByOrders: Int64 = 0
        var committedByOrders: Int64 = 0
        var isTouched = false
    }

    private var items: [Item] = []
    private var positions = KeyIndex()
    private var touched: [Int] = []
    /// Lines for items that were not seen yet, which a look at whole tables may bring first.
    private var unknownItems: [(id: UniqueID, reserved: Int64, committed: Int64)] = []

    public init() {}

    /// Notes a committed change of the inventory's tables; others are left out.
    public mutating func observe(_ change: CommittedChange) {
        guard change.service == .inventory else { return }
        switch change.table {
        case ItemsTable.table.name: if let new = change.new { observeItem(new) }
        case RestocksTable.table.name:
            if let new = change.new, change.old == nil {
                hold(new.uuid(RestocksTable.itemID)) { $0.expectedStocked += new.int64(RestocksTable.quantity) }
            }
        case ReservationsTable.table.name: observeReservation(change)
        default: break
        }
    }

    /// Takes back a change that was noted as committed and is lost all the same, as by a failover to a standby that lacks it.
    public mutating func undo(_ change: CommittedChange) {
        guard change.service == .inventory else { return }
        switch change.table {
        case ItemsTable.table.name: if let old = change.old { observeItem(old) }
        case RestocksTable.table.name:
            if let new = change.new, change.old == nil {
                hold(new.uuid(RestocksTable.itemID)) { $0.expectedStocked -= new.int64(RestocksTable.quantity) }
            }
        case ReservationsTable.table.name:
            guard let new = change.new else { return }
            count(new, sign: -1)
            if let old = change.old { count(old, sign: 1) }
        default: break
        }
    }

    /// Judges the items that the transaction touched.
    public mutating func endTransaction() -> [Violation] {
        if touched.isEmpty { return [] }
        var violations: [Violation] = []
        for position in touched {
            items[position].isTouched = false
            if let objection = Self.objection(items[position]) {
                violations.append(Violation(.stock, items[position].id, objection))
            }
        }
        touched.removeAll(keepingCapacity: true)
        return violations
    }

    /// Judges whole tables, as they are at one moment.
    ///
    /// - Parameters:
    ///   - initialStock: pieces of each item before the first restock; an item that is not named is taken at its word.
    ///   - hasArchived: whether finished reservations may be gone; then what is committed is not accounted for by orders.
    public static func violations(
        items: [Row], restocks: [Row], reservations: [Row], initialStock: [UniqueID: Int64] = [:], hasArchived: Bool
    ) -> [Violation] {
        var accumulator = StockAccumulator()
        for item in items {
            accumulator.observeItem(item)
            let id = item.uuid(ItemsTable.id)
            guard let initial = initialStock[id] else { continue }
            let came = restocks.filter { $0.uuid(RestocksTable.itemID) == id }
            let restocked = came.reduce(Int64(0)) { $0 + $1.int64(RestocksTable.quantity) }
            accumulator.hold(id) { $0.expectedStocked = initial + restocked }
        }
        for reservation in reservations {
            accumulator.observe(
                CommittedChange(.inventory, table: ReservationsTable.table.name, old: nil, new: reservation))
        }
        if hasArchived {
            for position in accumulator.items.indices {
                accumulator.items[position].committedByOrders = accumulator.items[position].committed
            }
        }
        return accumulator.endTransaction()
    }

    private static func objection(_ item: Item) -> String? {
        if item.available < 0 || item.reserved < 0 || item.committed < 0 {
            return "negative: \(parts(item))"
        }
        if item.available + item.reserved + item.committed != item.expectedStocked
            || item.stocked != item.expectedStocked
        {
            return "\(item.expectedStocked) came in, but \(parts(item)), stocked \(item.stocked)"
        }
        if item.reservedByOrders != item.reserved || item.committedByOrders != item.committed {
            return "orders hold \(item.reservedByOrders) reserved and \(item.committedByOrders) committed, but "
                + parts(item)
        }
        return nil
    }

    private static func parts(_ item: Item) -> String {
        "available \(item.available), reserved \(item.reserved), committed \(item.committed)"
    }

    private mutating func observeItem(_ row: Row) {
        let id = row.uuid(ItemsTable.id)
        if positions.position(of: id) == nil {
            positions.append(id)
            let stocked = row.int64(ItemsTable.stocked)
            items.append(
                Item(id: id, available: 0, reserved: 0, committed: 0, stocked: stocked, expectedStocked: stocked))
            for line in unknownItems where line.id == id {
                items[items.count - 1].reservedByOrders += line.reserved
                items[items.count - 1].committedByOrders += line.committed
            }
            unknownItems.removeAll { $0.id == id }
        }
        hold(id) { item in
            item.available = row.int64(ItemsTable.available)
            item.reserved = row.int64(ItemsTable.reserved)
            item.committed = row.int64(ItemsTable.committed)
            item.stocked = row.int64(ItemsTable.stocked)
        }
    }

    private mutating func observeReservation(_ change: CommittedChange) {
        // An archived reservation takes its pieces along: they stay committed, and accounted for.
        guard let new = change.new else { return }
        if let old = change.old { count(old, sign: -1) }
        count(new, sign: 1)
    }

    private mutating func count(_ reservation: Row, sign: Int64) {
        let status = ReservationStatus(rawValue: reservation.text(ReservationsTable.status))
        guard status == .reserved || status == .committed else { return }
        for line in StockLine.lines(reservation.json(ReservationsTable.lines)) ?? [] {
            let reserved = status == .reserved ? line.quantity * sign : 0
            let committed = status == .committed ? line.quantity * sign : 0
            guard positions.position(of: line.productID) != nil else {
                unknownItems.append((line.productID, reserved, committed))
                continue
            }
            hold(line.productID) { item in
                item.reservedByOrders += reserved
                item.committedByOrders += committed
            }
        }
    }

    private mutating func hold(_ id: UniqueID, _ change: (inout Item) -> Void) {
        guard let position = positions.position(of: id) else { return }
        change(&items[position])
        if !items[position].isTouched {
            items[position].isTouched = true
            touched.append(position)
        }
    }
}
