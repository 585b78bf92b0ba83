/// One line of a purchase log: one order.
public struct Purchase: Hashable, Sendable {
    public let customer: Int32
    /// Days since 1970-01-01.
    public let day: Int32
    /// Pieces bought, 1 to 9,999.
    public let pieceCount: Int32
    /// What was paid, in cents. Kept because it is there; the shop's own prices count.
    public let valueCents: Int64
}

/// What is wrong with a purchase log: the line, and what was expected there.
public struct PurchaseLogError: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1.
    public let line: Int
    public let problem: String

    public var description: String { "line \(line): \(problem)" }
}

/// A purchase log: customer id, date (YYYYMMDD), pieces, value; separated by spaces, tabs or commas; lines ending in LF,
/// CR LF or CR; a header line is skipped.
public struct PurchaseLog: Sendable {
    /// In the order of the file.
    public let purchases: [Purchase]

    /// Reads a log. One pass, no allocation a line; a million lines take a fraction of a second.
    ///
    /// - Throws: ``PurchaseLogError`` for the first line that is not right, or for a file without any purchase.
    public init(_ bytes: [UInt8]) throws(PurchaseLogError) {
        var purchases: [Purchase] = []
        var scanner = LineScanner(bytes)
        while scanner.nextLine() {
            if scanner.fieldCount == 0 { continue }
            if scanner.line == 1, scanner.isHeader { continue }
            purchases.append(try Self.purchase(&scanner))
        }
        guard !purchases.isEmpty else {
            throw PurchaseLogError(
                line: max(1, scanner.line), problem: "no purchase in the file; expected customer, date, pieces, value")
        }
        self.purchases = purchases
    }

    private static func purchase(_ scanner: inout LineScanner) throws(PurchaseLogError) -> Purchase {
        guard scanner.fieldCount == 4 else {
            throw PurchaseLogError(
                line: scanner.line,
                problem: "\(scanner.fieldCount) columns; expected 4: customer id, date (YYYYMMDD), pieces, value")
        }
        let customer = try scanner.integer(0, "customer id", in: 0...Int64(Int32.max))
        let date = try scanner.integer(1, "date", in: 1_000_01_01...9_999_12_31)
        guard let day = dayNumber(year: date / 10_000, month: date / 100 % 100, day: date % 100) else {
            throw PurchaseLogError(line: scanner.line, problem: "date \(date) is no day; expected YYYYMMDD")
        }
        let pieces = try scanner.integer(2, "pieces", in: 1...9_999)
        let cents = try scanner.cents(3, "value")
        return Purchase(customer: Int32(customer), day: day, pieceCount: Int32(pieces), valueCents: cents)
    }

    /// Days since 1970-01-01 of the Gregorian calendar; `nil` when there is no such day.
    static func dayNumber(year: Int64, month: Int64, day: Int64) -> Int32? {
        guard (1...12).contains(month), day >= 1 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[Int(month - 1)] else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int32(era * 146_097 + dayOfEra - 719_468)
    }
}

/// Walks over lines and their fields without making strings.
private struct LineScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var fields: [Range<Int>] = []
    private(set) var line = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark is no part of the first column.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    var fieldCount: Int { fields.count }

    /// Moves to the next line; false at the end.
    mutating func nextLine() -> Bool {
        guard position < bytes.count else { return false }
        line += 1
        fields.removeAll(keepingCapacity: true)
        var start = position
        while position < bytes.count, !Self.isLineEnd(bytes[position]) {
            if Self.isSeparator(bytes[position]) {
                if position > start { fields.append(start..<position) }
                start = position + 1
            }
            position += 1
        }
        if position > start { fields.append(start..<position) }
        skipLineEnd()
        return true
    }

    /// CR LF is one end.
    private mutating func skipLineEnd() {
        let isCarriageReturn = position < bytes.count && bytes[position] == UInt8(ascii: "\r")
        position += 1
        if isCarriageReturn, position < bytes.count, bytes[position] == UInt8(ascii: "\n") { position += 1 }
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: ",")
    }

    /// Whether the first field is a word without a digit, as that of a header is: a spoilt number is none.
    var isHeader: Bool {
        guard let first = fields.first else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        return bytes[first].contains { letters.contains($0 | 0x20) } && !bytes[first].contains { Self.digit($0).1 }
    }

    private func text(_ index: Int) -> String { String(decoding: bytes[fields[index]].prefix(40), as: UTF8.self) }

    func integer(_ index: Int, _ name: String, in range: ClosedRange<Int64>) throws(PurchaseLogError) -> Int64 {
        var value: Int64 = 0
        for byte in bytes[fields[index]] {
            let (digit, isDigit) = Self.digit(byte)
            guard isDigit, value < 1_000_000_000_000 else { throw wrong(index, name, "a whole number") }
            value = value * 10 + digit
        }
        guard range.contains(value) else {
            throw wrong(index, name, "\(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// An amount with at most two places, in cents.
    func cents(_ index: Int, _ name: String) throws(PurchaseLogError) -> Int64 {
        var value: Int64 = 0
        var places = -1
        let isPointAlone = fields[index].count == 1 && bytes[fields[index].lowerBound] == UInt8(ascii: ".")
        for byte in bytes[fields[index]] {
            if byte == UInt8(ascii: "."), places < 0 {
                places = 0
                continue
            }
            let (digit, isDigit) = Self.digit(byte)
            guard isDigit, places < 2, value < 1_000_000_000_000 else { throw wrongAmount(index, name) }
            value = value * 10 + digit
            if places >= 0 { places += 1 }
        }
        if isPointAlone { throw wrongAmount(index, name) }
        switch places {
        case 2: return value
        case 1: return value * 10
        default: return value * 100
        }
    }

    private static func digit(_ byte: UInt8) -> (Int64, Bool) {
        let value = Int64(byte) - Int64(UInt8(ascii: "0"))
        return (value, (0...9).contains(value))
    }

    private func wrongAmount(_ index: Int, _ name: String) -> PurchaseLogError {
        wrong(index, name, "an amount with at most two places, for example 11.77")
    }

    private func wrong(_ index: Int, _ name: String, _ expected: String) -> PurchaseLogError {
        PurchaseLogError(line: line, problem: "\(name) is '\(text(index))'; expected \(expected)")
    }
}
