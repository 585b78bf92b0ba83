#if Production
    import AdapterJSON
    import Ports

    /// PostgreSQL's binary format of values (`typsend` and `typreceive` in its sources), for parameters, results and
    /// logical replication alike.
    enum BinaryFormat {
        /// Bounds on a `jsonb` value that is read: PostgreSQL's own limit is 255 MB.
        private static let limits = JSONLimits(maximumByteCount: 268_435_456, maximumDepth: 512)

        /// Appends a value that is not null.
        ///
        /// - Throws: ``Ports/SQLState/datatypeMismatch`` when the value is not of that type.
        static func append(_ value: Value, as type: ColumnType, to bytes: inout [UInt8]) throws(DatabaseError) {
            switch (value, type) {
            case (.int64(let number), .int64): append(UInt64(bitPattern: number), to: &bytes)
            case (.text(let text), .text): bytes.append(contentsOf: text.utf8)
            case (.bool(let flag), .bool): bytes.append(flag ? 1 : 0)
            case (.uuid(let id), .uuid):
                append(id.high, to: &bytes)
                append(id.low, to: &bytes)
            case (.timestamp(let instant), .timestamp):
                append(UInt64(bitPattern: PostgresTime.microseconds(instant)), to: &bytes)
            case (.json(let document), .json):
                bytes.append(1)  // the version of jsonb's format
                JSONWriter.write(document, to: &bytes)
            case (.bytes(let raw), .bytes): bytes.append(contentsOf: raw)
            default:
                throw .statement(
                    .datatypeMismatch, message: "a value of type \(value.type?.sqlName ?? "null") for \(type.sqlName)")
            }
        }

        /// Appends a one-dimensional array.
        static func append(_ values: [Value], asArrayOf type: ColumnType, to bytes: inout [UInt8]) throws(DatabaseError)
        {
            append(UInt32(values.isEmpty ? 0 : 1), to: &bytes)
            append(UInt32(values.contains { $0.isNull } ? 1 : 0), to: &bytes)
            append(type.objectID, to: &bytes)
            guard !values.isEmpty else { return }
            append(UInt32(values.count), to: &bytes)
            append(UInt32(1), to: &bytes)
            for value in values {
                guard !value.isNull else {
                    append(UInt32.max, to: &bytes)
                    continue
                }
                let lengthAt = bytes.count
                append(UInt32(0), to: &bytes)
                try append(value, as: type, to: &bytes)
                let length = UInt32(bytes.count - lengthAt - 4)
                for place in 0..<4 { bytes[lengthAt + place] = UInt8(truncatingIfNeeded: length >> (24 - place * 8)) }
            }
        }

        static func append(_ word: UInt64, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
        }

        static func append(_ word: UInt32, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
        }

        /// Reads a value that is not null.
        ///
        /// - Throws: ``Ports/DatabaseError`` when the bytes are not of that type, or hold what a ``Ports/Value`` cannot.
        static func value(_ bytes: UnsafeRawBufferPointer, _ type: ColumnType) throws(DatabaseError) -> Value {
            switch type {
            case .int64: return .int64(Int64(bitPattern: try word(bytes, type)))
            case .text: return .text(String(decoding: bytes, as: UTF8.self))
            case .bool:
                guard bytes.count == 1 else { throw malformed(type, bytes.count) }
                return .bool(bytes[0] != 0)
            case .uuid:
                guard bytes.count == 16 else { throw malformed(type, bytes.count) }
                return .uuid(UniqueID(high: bigEndian(bytes, 0), low: bigEndian(bytes, 8)))
            case .timestamp:
                guard let instant = PostgresTime.instant(microseconds: Int64(bitPattern: try word(bytes, type))) else {
                    throw .statement(.numericValueOutOfRange, message: "a timestamptz outside the years 1678 to 2261")
                }
                return .timestamp(instant)
            case .json: return .json(try document(bytes))
            case .bytes: return .bytes(Array(bytes))
            }
        }

        private static func document(_ bytes: UnsafeRawBufferPointer) throws(DatabaseError) -> JSONValue {
            guard bytes.first == 1 else { throw malformed(.json, bytes.count) }
            do throws(JSONError) {
                return try JSONReader.read(Array(bytes.dropFirst()), limits: limits)
            } catch {
                throw .statement(
                    .numericValueOutOfRange, message: "a jsonb value that cannot be kept exactly: \(error)")
            }
        }

        private static func word(_ bytes: UnsafeRawBufferPointer, _ type: ColumnType) throws(DatabaseError) -> UInt64 {
            guard bytes.count == 8 else { throw malformed(type, bytes.count) }
            return bigEndian(bytes, 0)
        }

        private static func bigEndian(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }

        private static func malformed(_ type: ColumnType, _ count: Int) -> DatabaseError {
            .statement(.datatypeMismatch, message: "\(count) bytes that are not a binary \(type.sqlName)")
        }
    }
#endif
