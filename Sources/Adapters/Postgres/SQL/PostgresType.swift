#if Production
    import Clibpq
    import Ports

    extension ColumnType {
        /// The type's object id, fixed in PostgreSQL's catalog (`pg_type.dat`).
        var objectID: Oid {
            switch self {
            case .int64: 20
            case .text: 25
            case .bool: 16
            case .uuid: 2950
            case .timestamp: 1184
            case .json: 3802
            case .bytes: 17
            }
        }

        /// The object id of an array of the type.
        var arrayObjectID: Oid {
            switch self {
            case .int64: 1016
            case .text: 1009
            case .bool: 1000
            case .uuid: 2951
            case .timestamp: 1185
            case .json: 3807
            case .bytes: 1001
            }
        }

        /// The type's name in DDL and casts.
        var sqlName: String {
            switch self {
            case .int64: "bigint"
            case .text: "text"
            case .bool: "boolean"
            case .uuid: "uuid"
            case .timestamp: "timestamptz"
            case .json: "jsonb"
            case .bytes: "bytea"
            }
        }

        init?(objectID: Oid) {
            guard let type = Self.allCases.first(where: { $0.objectID == objectID }) else { return nil }
            self = type
        }
    }

    /// PostgreSQL counts time in microseconds from 2000-01-01.
    enum PostgresTime {
        private static let microsecondsFromUnixEpoch: Int64 = 946_684_800_000_000

        /// Rounded to the nearest microsecond, half of one upwards.
        static func microseconds(_ instant: Instant) -> Int64 {
            let nanoseconds = instant.nanosecondsSinceEpoch
            let quotient = nanoseconds / 1_000
            let remainder = nanoseconds % 1_000
            let rounded = remainder >= 500 ? quotient + 1 : remainder < -500 ? quotient - 1 : quotient
            return rounded - microsecondsFromUnixEpoch
        }

        /// `nil` beyond what an instant holds (years 1677 to 2262), and for `infinity`.
        static func instant(microseconds: Int64) -> Instant? {
            let (sinceUnixEpoch, overflow) = microseconds.addingReportingOverflow(microsecondsFromUnixEpoch)
            guard !overflow else { return nil }
            let (nanoseconds, tooLarge) = sinceUnixEpoch.multipliedReportingOverflow(by: 1_000)
            return tooLarge ? nil : Instant(nanosecondsSinceEpoch: nanoseconds)
        }
    }
#endif
