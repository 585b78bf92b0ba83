#if Production
    @testable import AdapterPostgres
    import Ports
    import Testing

    @Suite("Logical replication messages")
    struct PgOutputTests {
        /// Bytes of a message as the protocol's documentation describes them.
        private struct Writer {
            var bytes: [UInt8] = []
            mutating func byte(_ character: Character) { bytes += Array(String(character).utf8) }
            mutating func word16(_ word: UInt16) { withUnsafeBytes(of: word.bigEndian) { bytes += Array($0) } }
            mutating func word32(_ word: UInt32) { BinaryFormat.append(word, to: &bytes) }
            mutating func word64(_ word: UInt64) { BinaryFormat.append(word, to: &bytes) }
            mutating func text(_ text: String) { bytes += Array(text.utf8) + [0] }
            mutating func int64Field(_ value: Int64) {
                byte("b")
                word32(8)
                word64(UInt64(bitPattern: value))
            }
        }

        private static func write(_ body: (inout Writer) -> Void) -> [UInt8] {
            var writer = Writer()
            body(&writer)
            return writer.bytes
        }

        static let begin = write {
            $0.byte("B")
            $0.word64(500)
            $0.word64(0)
            $0.word32(42)
        }
        static let commit = write {
            $0.byte("C")
            $0.bytes.append(0)
            $0.word64(500)
            $0.word64(520)
            $0.word64(1_000_000)
        }
        static let relation = write {
            $0.byte("R")
            $0.word32(7)
            $0.text("public")
            $0.text("test")
            $0.byte("d")
            $0.word16(2)
            for (name, flags) in [("id", 1), ("value", 0)] as [(String, UInt8)] {
                $0.bytes.append(flags)
                $0.text(name)
                $0.word32(20)
                $0.word32(.max)
            }
        }
        static let insert = write {
            $0.byte("I")
            $0.word32(7)
            $0.byte("N")
            $0.word16(2)
            $0.int64Field(3)
            $0.byte("n")
        }
        static let update = write {
            $0.byte("U")
            $0.word32(7)
            $0.byte("K")
            $0.word16(2)
            $0.int64Field(3)
            $0.byte("n")
            $0.byte("N")
            $0.word16(2)
            $0.int64Field(4)
            $0.byte("u")
        }
        static let delete = write {
            $0.byte("D")
            $0.word32(7)
            $0.byte("K")
            $0.word16(2)
            $0.int64Field(4)
            $0.byte("n")
        }
        static let truncate = write {
            $0.byte("T")
            $0.word32(1)
            $0.bytes.append(0)
            $0.word32(7)
        }
        static let messages = [begin, relation, insert, update, delete, truncate, commit]

        @Test("Messages become one transaction, with what was left out named")
        func assembles() throws {
            var assembler = TransactionAssembler()
            var handedOut: [CommittedTransaction] = []
            for (index, message) in Self.messages.enumerated() {
                let lsn = LSN(UInt64(100 + index))
                if let transaction = try assembler.take(try PgOutputParser.parse(message), at: lsn) {
                    handedOut.append(transaction)
                }
                #expect(assembler.isInTransaction == (index < 6))
            }
            let expected = CommittedTransaction(
                transactionID: 42, commitLSN: LSN(500), endLSN: LSN(520),
                committedAt: Instant(nanosecondsSinceEpoch: 946_684_801_000_000_000),
                changes: [
                    ChangeEvent(table: "test", change: .insert(new: Row([3, nil])), lsn: LSN(102)),
                    ChangeEvent(
                        table: "test", change: .update(oldKey: Row([3, nil]), new: Row([4, nil])), lsn: LSN(103),
                        unavailableColumns: ["value"]),
                    ChangeEvent(table: "test", change: .delete(oldKey: Row([4, nil])), lsn: LSN(104)),
                ])
            #expect(handedOut == [expected])
        }

        @Test("A transaction that changed nothing published is not handed out")
        func emptyTransaction() throws {
            var assembler = TransactionAssembler()
            for message in [Self.begin, Self.commit] {
                #expect(try assembler.take(try PgOutputParser.parse(message), at: .zero) == nil)
            }
        }

        @Test("Messages that cannot come here are refused")
        func outOfPlace() throws {
            for sequence in [
                [Self.commit], [Self.begin, Self.begin], [Self.begin, Self.insert], [Self.relation, Self.insert],
            ] {
                #expect(throws: PgOutputError.self) {
                    var assembler = TransactionAssembler()
                    for message in sequence { _ = try assembler.take(try PgOutputParser.parse(message), at: .zero) }
                }
            }
        }

        @Test("Every message cut short, or one byte too long, is refused")
        func truncated() {
            for message in Self.messages {
                for length in 0..<message.count {
                    #expect(throws: PgOutputError.self) { try PgOutputParser.parse(Array(message.prefix(length))) }
                }
                #expect(throws: PgOutputError.self) { try PgOutputParser.parse(message + [0]) }
            }
        }

        @Test("Random and damaged messages are refused or read, never worse", arguments: 0..<64)
        func fuzz(_ seed: UInt64) {
            var generator = SplitMix(seed: seed)
            var assembler = TransactionAssembler()
            for _ in 0..<500 {
                var bytes = Self.messages[Int(generator.next() % UInt64(Self.messages.count))]
                for _ in 0..<(generator.next() % 4) {
                    bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
                }
                if generator.next() % 4 == 0 { bytes = bytes.map { _ in UInt8(truncatingIfNeeded: generator.next()) } }
                guard let message = try? PgOutputParser.parse(bytes) else { continue }
                _ = try? assembler.take(message, at: .zero)
            }
        }
    }
#endif
