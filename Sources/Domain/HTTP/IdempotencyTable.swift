public import Ports

/// Answers given to idempotency keys, each stored in the transaction of the effects that it answers for.
public enum IdempotencyTable {
    public static let table = Table(
        "idempotency_keys",
        columns: [
            .column("key", .text), .column("fingerprint", .int64), .column("status", .int64),
            .column("location", .text, nullable: true), .column("body", .json), .column("created_at", .timestamp),
        ],
        primaryKey: ["key"],
        indexes: [["created_at"]])

    public static let key = table.column("key")
    /// Of method, path and body, to tell a repetition from another request under the same key.
    public static let fingerprint = table.column("fingerprint")
    public static let status = table.column("status")
    public static let location = table.column("location")
    public static let body = table.column("body")
    public static let createdAt = table.column("created_at")

    static func select(_ key: String, lock: RowLock = .none) -> Statement {
        .select(Select(from: table, where: [self.key == .text(key)], lock: lock))
    }

    /// The stored answer of the same request, once it is confirmed (decision 14).
    ///
    /// - Throws: 422 when the key was used for another request; ``Ports/DatabaseError``.
    static func repeated(
        _ stored: Row, _ key: IdempotencyKey, in session: any DatabaseSession
    ) async throws -> HTTPResponse {
        let response = try key.repeated(stored)
        _ = try await session.executeAndCommit([select(key.text, lock: .forUpdate)])
        return response
    }

    static func insert(_ response: HTTPResponse, key: String, fingerprint: Int64, at now: Instant) -> [Value] {
        [
            .text(key), .int64(fingerprint), .int64(Int64(response.status)),
            response.header("location").map { .text($0) } ?? .null, .json(response.json ?? .null), .timestamp(now),
        ]
    }

    static func response(_ row: Row) -> HTTPResponse {
        var headers: [HTTPHeader] = []
        if case .text(let location) = row[location] { headers.append(HTTPHeader("location", location)) }
        let body = row.json(body)
        return HTTPResponse(
            Int(row.int64(status)), headers: headers, body: body.isNull ? .none : .json(body))
    }
}

/// A 64-bit fingerprint of a request, the same in every process.
struct RequestFingerprint {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    static func of(_ request: HTTPRequest) -> Int64 {
        var fingerprint = RequestFingerprint()
        fingerprint.fold(text: request.method.rawValue)
        fingerprint.fold(text: request.path)
        switch request.body {
        case .json(let value): fingerprint.fold(json: value)
        case .bytes(let bytes): for byte in bytes { fingerprint.fold(UInt64(byte)) }
        case nil: break
        }
        return Int64(bitPattern: fingerprint.hash)
    }

    private mutating func fold(_ word: UInt64) {
        // One round of a multiply-and-fold hash: every input bit reaches every output bit.
        let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        hash = product.high ^ product.low &+ 0xD6E8_FEB8_6659_FD93
    }

    private mutating func fold(text: String) {
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            while start + 8 <= bytes.count {
                fold(
                    UnsafeRawPointer(bytes.baseAddress!).loadUnaligned(fromByteOffset: start, as: UInt64.self)
                        .littleEndian)
                start += 8
            }
            var rest: UInt64 = 0
            for byte in bytes[start...] { rest = rest << 8 | UInt64(byte) }
            fold(rest)
            fold(UInt64(bytes.count))
        }
    }

    private mutating func fold(json: JSONValue) {
        switch json {
        case .null: fold(1)
        case .bool(let bool): fold(bool ? 2 : 3)
        case .integer(let integer):
            fold(4)
            fold(UInt64(bitPattern: integer))
        case .decimal(let unscaled, let scale):
            fold(5)
            fold(UInt64(bitPattern: unscaled))
            fold(UInt64(scale))
        case .string(let text):
            fold(6)
            fold(text: text)
        case .array(let values):
            fold(7)
            for value in values { fold(json: value) }
            fold(8)
        case .object(let members):
            fold(9)
            for member in members {
                fold(text: member.name)
                fold(json: member.value)
            }
            fold(10)
        }
    }
}
