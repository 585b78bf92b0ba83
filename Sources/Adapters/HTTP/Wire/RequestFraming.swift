import Ports

/// For whom a request is, and where its body ends, by its head.
enum RequestFraming {
    /// What is wrong with the number of Host headers (RFC 9112, section 3.2); `nil` when nothing is.
    static func problem(ofHost request: RawRequest) -> ProblemDocument? {
        guard request.isHTTP11, request.headers.count(where: { $0.name == "host" }) != 1 else { return nil }
        return .badRequest("a request of HTTP/1.1 has one Host header")
    }

    /// A message that could be read as of two lengths is how requests are smuggled past proxies (RFC 9112, section 11.2).
    static func of(_ request: RawRequest) -> Result<MessageBody.Framing, Refusal> {
        let lengths = request.headers.filter { $0.name == "content-length" }.map(\.value)
        let codings = request.headers.filter { $0.name == "transfer-encoding" }.map { $0.value.lowercased() }
        if !codings.isEmpty {
            guard lengths.isEmpty, request.isHTTP11, codings == ["chunked"] else {
                return .failure(
                    Refusal(problem: .badRequest("the only transfer coding is chunked, without a Content-Length")))
            }
            return .success(.chunked)
        }
        guard let text = lengths.first else { return .success(.none) }
        guard lengths.allSatisfy({ $0 == text }), let length = plainNumber(text) else {
            return .failure(Refusal(problem: .badRequest("Content-Length is not one number")))
        }
        return .success(.length(length))
    }

    /// Digits only: `Int` would take a sign as well.
    static func plainNumber(_ text: String) -> Int? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(text)
    }
}
