import Ports

/// Column values as Debezium's converters and Connect's JSON converter write them.
///
/// Source: Debezium documentation, "PostgreSQL data types"; seen in records of Debezium 3.6.3.
enum ConnectValue {
    /// What stands in a record for a column's value.
    static func document(_ value: Value) -> JSONValue {
        switch value {
        case .null: .null
        case .int64(let value): .integer(value)
        case .text(let value): .string(value)
        case .bool(let value): .bool(value)
        case .uuid(let value): .string(value.description)
        case .timestamp(let value): .string(zonedTimestamp(value))
        case .json(let value): .string(DocumentText.jsonb(value))
        case .bytes(let value): .string(base64(value))
        }
    }

    /// What stands for a column that is not null and whose value the server did not send: a deleted row's columns beside its
    /// key. A consumer that takes it for data is misled.
    static func placeholder(_ column: Column) -> JSONValue {
        if column.isNullable { return .null }
        return switch column.type {
        case .int64: .integer(0)
        case .text, .uuid, .bytes, .json: .string("")
        case .bool: .bool(false)
        case .timestamp: .string("1970-01-01T00:00:00Z")
        }
    }

    /// `io.debezium.time.ZonedTimestamp`: ISO 8601 in UTC, to the microsecond.
    static func zonedTimestamp(_ instant: Instant) -> String {
        let microseconds = floorDivide(instant.nanosecondsSinceEpoch, 1_000)
        let seconds = floorDivide(microseconds.quotient, 1_000_000)
        let days = floorDivide(seconds.quotient, 86_400)
        let date = civilDate(days: days.quotient)
        let time = days.remainder
        func two(_ number: Int64) -> String { padded(number, 2) }
        return "\(padded(date.year, 4))-\(two(date.month))-\(two(date.day))"
            + "T\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60)).\(padded(seconds.remainder, 6))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floorDivide(_ number: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The date so many days after 1970-01-01, in the proleptic Gregorian calendar: years are counted from March, in eras of
    /// 400 years.
    private static func civilDate(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for index in 0..<3 { word = word << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
            for index in 0..<4 {
                let isPadding = index > group.count
                text.append(
                    isPadding ? UInt8(ascii: "=") : alphabet[Int(word >> UInt32(18 - 6 * index) & 0x3F)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
