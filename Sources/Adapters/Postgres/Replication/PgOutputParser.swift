#if Production
    import Ports

    /// Reads one message. Never reads beyond its bytes, whatever they are.
    struct PgOutputParser {
        private var reader: ByteReader

        init(_ bytes: UnsafeRawBufferPointer) { reader = ByteReader(bytes) }

        static func parse(_ bytes: [UInt8]) throws(PgOutputError) -> PgOutputMessage {
            let result: Result<PgOutputMessage, PgOutputError> = bytes.withUnsafeBytes { buffer in
                Result { () throws(PgOutputError) in
                    var parser = PgOutputParser(buffer)
                    return try parser.message()
                }
            }
            return try result.get()
        }

        mutating func message() throws(PgOutputError) -> PgOutputMessage {
            let kind = try reader.byte()
            let message = try body(kind)
            if case .other = message { return message }
            guard reader.isAtEnd else { throw reader.error("bytes after the end of a message of kind \(kind)") }
            return message
        }

        private mutating func body(_ kind: UInt8) throws(PgOutputError) -> PgOutputMessage {
            switch kind {
            case UInt8(ascii: "B"):
                return .begin(
                    finalLSN: LSN(try reader.word64()), committedAt: Int64(bitPattern: try reader.word64()),
                    transactionID: try reader.word32())
            case UInt8(ascii: "C"):
                _ = try reader.byte()  // flags, none defined
                return .commit(
                    commitLSN: LSN(try reader.word64()), endLSN: LSN(try reader.word64()),
                    committedAt: Int64(bitPattern: try reader.word64()))
            case UInt8(ascii: "R"): return .relation(try relation())
            case UInt8(ascii: "I"):
                let relation = try reader.word32()
                try expect("N")
                return .insert(relation: relation, new: try tuple())
            case UInt8(ascii: "U"): return try update()
            case UInt8(ascii: "D"):
                let relation = try reader.word32()
                let identity = try reader.byte()
                guard identity == UInt8(ascii: "K") || identity == UInt8(ascii: "O") else {
                    throw reader.error("a deleted row is marked \(identity), not K or O")
                }
                return .delete(relation: relation, old: try tuple())
            case UInt8(ascii: "T"): return try truncate()
            case UInt8(ascii: "O"), UInt8(ascii: "Y"), UInt8(ascii: "M"): return .other(kind)
            default: throw reader.error("messages of kind \(kind) do not exist in protocol version 1")
            }
        }

        private mutating func update() throws(PgOutputError) -> PgOutputMessage {
            let relation = try reader.word32()
            var old: [PgOutputMessage.Field]?
            var mark = try reader.byte()
            if mark == UInt8(ascii: "K") || mark == UInt8(ascii: "O") {
                old = try tuple()
                mark = try reader.byte()
            }
            guard mark == UInt8(ascii: "N") else { throw reader.error("an updated row is marked \(mark), not N") }
            return .update(relation: relation, old: old, new: try tuple())
        }

        private mutating func truncate() throws(PgOutputError) -> PgOutputMessage {
            let count = try reader.word32()
            _ = try reader.byte()  // CASCADE, RESTART IDENTITY
            var relations: [UInt32] = []
            for _ in 0..<count { relations.append(try reader.word32()) }
            return .truncate(relations: relations)
        }

        private mutating func relation() throws(PgOutputError) -> PgOutputMessage.Relation {
            let id = try reader.word32()
            let schema = try reader.text()
            let name = try reader.text()
            _ = try reader.byte()  // replica identity
            let count = try reader.word16()
            var columns: [PgOutputMessage.RelationColumn] = []
            for _ in 0..<count {
                let flags = try reader.byte()
                let column = try reader.text()
                let type = try reader.word32()
                _ = try reader.word32()  // type modifier
                columns.append(.init(name: column, typeID: type, isKey: flags & 1 == 1))
            }
            return PgOutputMessage.Relation(id: id, schema: schema, name: name, columns: columns)
        }

        private mutating func tuple() throws(PgOutputError) -> [PgOutputMessage.Field] {
            let count = try reader.word16()
            var fields: [PgOutputMessage.Field] = []
            for _ in 0..<count {
                switch try reader.byte() {
                case UInt8(ascii: "n"): fields.append(.null)
                case UInt8(ascii: "u"): fields.append(.unchanged)
                case UInt8(ascii: "t"): fields.append(.text(try reader.bytes(Int(try reader.word32()))))
                case UInt8(ascii: "b"): fields.append(.binary(try reader.bytes(Int(try reader.word32()))))
                case let kind: throw reader.error("a column is marked \(kind), not n, u, t or b")
                }
            }
            return fields
        }

        private mutating func expect(_ mark: Unicode.Scalar) throws(PgOutputError) {
            let found = try reader.byte()
            guard UInt32(found) == mark.value else { throw reader.error("byte \(found) where \(mark) was expected") }
        }
    }
#endif
