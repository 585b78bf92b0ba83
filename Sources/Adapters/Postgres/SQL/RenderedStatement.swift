#if Production
    import Clibpq
    import Ports

    /// A statement as text with placeholders, and what stands for them. Values are never part of the text, so the text of
    /// one shape of statement is always the same and is prepared once a connection.
    struct RenderedStatement {
        enum Parameter: Hashable {
            case value(Value, ColumnType)
            case array([Value], ColumnType)

            var objectID: Oid {
                switch self {
                case .value(_, let type): type.objectID
                case .array(_, let type): type.arrayObjectID
                }
            }
        }

        var sql: String
        var parameters: [Parameter] = []
        /// The columns of the rows that come back; empty when none do.
        var resultColumns: [Column] = []
        /// Whether it can change nothing: its outcome is never in doubt.
        var isReadOnly = false

        /// Adds a parameter and returns its placeholder.
        mutating func bind(_ parameter: Parameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
    }

    /// The parameters of one statement in binary, in one buffer.
    struct EncodedParameters {
        private var bytes: [UInt8] = []
        /// Where each parameter lies; `nil` for null.
        private var ranges: [Range<Int>?] = []

        init(_ parameters: [RenderedStatement.Parameter]) throws(DatabaseError) {
            ranges.reserveCapacity(parameters.count)
            for parameter in parameters {
                let start = bytes.count
                switch parameter {
                case .value(.null, _):
                    ranges.append(nil)
                    continue
                case .value(let value, let type): try BinaryFormat.append(value, as: type, to: &bytes)
                case .array(let values, let type): try BinaryFormat.append(values, asArrayOf: type, to: &bytes)
                }
                ranges.append(start..<bytes.count)
            }
            bytes.append(0)  // so that an empty buffer has an address too
        }

        /// Calls `body` with what libpq wants: count, values, lengths, formats.
        func withLists<Result>(
            _ body: (Int32, [UnsafePointer<CChar>?], [Int32], [Int32]) -> Result
        ) -> Result {
            bytes.withUnsafeBytes { buffer in
                let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                let values = ranges.map { range in range.flatMap { base?.advanced(by: $0.lowerBound) } }
                let lengths = ranges.map { Int32($0?.count ?? 0) }
                return body(Int32(ranges.count), values, lengths, [Int32](repeating: 1, count: ranges.count))
            }
        }
    }
#endif
