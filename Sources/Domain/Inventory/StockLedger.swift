import Outbox
import Ports

/// A line of an order as the inventory sees it.
struct StockLine: Hashable, Sendable {
    let productID: UniqueID
    let quantity: Int64
    /// Minor units.
    let unitPrice: Int64

    /// Reads the `lines` of an event or of a reservation; `nil` when they are not what they should be.
    static func lines(_ json: JSONValue?) -> [StockLine]? {
        guard let values = json?.arrayValue else { return nil }
        var lines: [StockLine] = []
        lines.reserveCapacity(values.count)
        for value in values {
            guard let text = value[PayloadField.productID]?.stringValue, let productID = UniqueID(text),
                let quantity = value[PayloadField.quantity]?.integerValue, quantity > 0,
                let unitPrice = value[PayloadField.unitPrice]?.integerValue, unitPrice >= 0
            else { return nil }
            lines.append(StockLine(productID: productID, quantity: quantity, unitPrice: unitPrice))
        }
        return lines
    }
}

/// The stock of the items that a transaction holds locked: moved in memory, written once.
struct StockLedger: Sendable {
    private struct Item {
        let id: UniqueID
        let unitPrice: Int64
        /// As they stand after the moves so far.
        var available: Int64
        var reserved: Int64
        var availableChange: Int64 = 0
        var reservedChange: Int64 = 0
        var committedChange: Int64 = 0
    }

    private var items: [Item]
    private var positions: KeyIndex

    /// - Parameter rows: the items, locked in the order of their ids.
    init(_ rows: [Row]) {
        items = rows.map { row in
            Item(
                id: row.uuid(ItemsTable.id), unitPrice: row.int64(ItemsTable.unitPrice),
                available: row.int64(ItemsTable.available), reserved: row.int64(ItemsTable.reserved))
        }
        positions = KeyIndex(minimumCapacity: items.count)
        for item in items { positions.append(item.id) }
    }

    /// Holds all lines or none; returns why not.
    mutating func reserve(_ lines: [StockLine]) -> String? {
        for (count, line) in lines.enumerated() {
            if let refusal = reserve(line) {
                for line in lines[..<count] { releaseReserved(line) }
                return refusal
            }
        }
        return nil
    }

    private mutating func reserve(_ line: StockLine) -> String? {
        guard let position = positions.position(of: line.productID) else {
            return "there is no product \(line.productID)"
        }
        guard items[position].unitPrice == line.unitPrice else {
            return "the price of product \(line.productID) has changed"
        }
        guard items[position].available >= line.quantity else { return "out of stock: product \(line.productID)" }
        move(position, available: -line.quantity, reserved: line.quantity, committed: 0)
        return nil
    }

    mutating func commit(_ lines: [StockLine]) {
        for line in lines { move(line, available: 0, reserved: -line.quantity, committed: line.quantity) }
    }

    mutating func releaseReserved(_ lines: [StockLine]) {
        for line in lines { releaseReserved(line) }
    }

    mutating func releaseCommitted(_ lines: [StockLine]) {
        for line in lines { move(line, available: line.quantity, reserved: 0, committed: -line.quantity) }
    }

    private mutating func releaseReserved(_ line: StockLine) {
        move(line, available: line.quantity, reserved: -line.quantity, committed: 0)
    }

    private mutating func move(_ line: StockLine, available: Int64, reserved: Int64, committed: Int64) {
        guard let position = positions.position(of: line.productID) else {
            preconditionFailure("stock of product \(line.productID) moves, but its row was not locked")
        }
        move(position, available: available, reserved: reserved, committed: committed)
    }

    private mutating func move(_ position: Int, available: Int64, reserved: Int64, committed: Int64) {
        items[position].available += available
        items[position].reserved += reserved
        items[position].availableChange += available
        items[position].reservedChange += reserved
        items[position].committedChange += committed
    }

    /// Writes the moves: increments, in the order of the ids, each under the check that nothing becomes negative.
    func write(into work: inout UnitOfWork, mistakes: PlantedMistakes) {
        typealias Items = ItemsTable
        for item in items where item.availableChange != 0 || item.reservedChange != 0 || item.committedChange != 0 {
            var assignments: [Assignment] = []
            if mistakes.contains(.checkThenActOnStock) {
                assignments = [
                    .set(Items.available, .int64(item.available)), .set(Items.reserved, .int64(item.reserved)),
                ]
            } else {
                if item.availableChange != 0 {
                    assignments.append(.increment(Items.available, by: item.availableChange))
                }
                if item.reservedChange != 0 { assignments.append(.increment(Items.reserved, by: item.reservedChange)) }
            }
            if item.committedChange != 0 { assignments.append(.increment(Items.committed, by: item.committedChange)) }
            work.add(.update(Update(Items.table, set: assignments, where: [Items.id == .uuid(item.id)])))
        }
    }
}
