import Ports

/// How values look in JSON at the edge.
enum WireFormat {
    /// Minor units as a decimal number with two places.
    static func price(_ minorUnits: Int64) -> JSONValue { .decimal(unscaled: minorUnits, scale: 2) }

    /// Reads a price, exactly: `nil` when it is not a number, has a fraction of a minor unit, or does not fit.
    static func minorUnits(_ value: JSONValue) -> Int64? {
        switch value {
        case .integer(let whole):
            let (units, overflow) = whole.multipliedReportingOverflow(by: 100)
            return overflow ? nil : units
        case .decimal(var unscaled, var scale):
            while scale > 2 {
                guard unscaled % 10 == 0 else { return nil }
                unscaled /= 10
                scale -= 1
            }
            while scale < 2 {
                let (scaled, overflow) = unscaled.multipliedReportingOverflow(by: 10)
                if overflow { return nil }
                unscaled = scaled
                scale += 1
            }
            return unscaled
        default: return nil
        }
    }

    /// RFC 3339 in UTC to the microsecond, for example `1997-01-01T10:30:00.000000Z`.
    static func timestamp(_ instant: Instant) -> JSONValue {
        let microseconds = floorDivide(instant.nanosecondsSinceEpoch, 1_000)
        let seconds = floorDivide(microseconds, 1_000_000)
        let date = civilDate(daysSinceEpoch: floorDivide(seconds, 86_400))
        let secondOfDay = seconds - floorDivide(seconds, 86_400) * 86_400
        let fields: [(value: Int64, digits: Int, separator: Unicode.Scalar)] = [
            (date.year, 4, "-"), (date.month, 2, "-"), (date.day, 2, "T"), (secondOfDay / 3_600, 2, ":"),
            (secondOfDay / 60 % 60, 2, ":"), (secondOfDay % 60, 2, "."), (microseconds - seconds * 1_000_000, 6, "Z"),
        ]
        let text = String(unsafeUninitializedCapacity: 27) { buffer in
            var end = 0
            for field in fields {
                var rest = field.value
                for position in stride(from: end + field.digits - 1, through: end, by: -1) {
                    buffer[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                end += field.digits
                buffer[end] = UInt8(ascii: field.separator)
                end += 1
            }
            return end
        }
        return .string(text)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// The proleptic Gregorian date of a day counted from 1970-01-01, by years that begin in March.
    private static func civilDate(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = daysSinceEpoch + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
