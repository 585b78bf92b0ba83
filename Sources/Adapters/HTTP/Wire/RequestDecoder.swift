import AdapterJSON
import Ports

/// A request that no handler sees, with the answer that it gets.
struct Refusal: Error {
    let problem: ProblemDocument
}

/// Makes of a raw request what handlers take, or says why it is refused.
enum RequestDecoder {
    static func decode(_ raw: RawRequest, limits: HTTPEdgeLimits) -> Result<HTTPRequest, Refusal> {
        guard let method = HTTPMethod(rawValue: raw.method) else {
            return .failure(Refusal(problem: .methodNotImplemented(raw.method)))
        }
        guard let target = RequestTarget(raw.target) else {
            return .failure(
                Refusal(problem: .badRequest("the target is not a path of UTF-8 text with correct escapes")))
        }
        let request = HTTPRequest(method, target.path, query: target.query, headers: raw.headers)
        guard let bytes = raw.body, !bytes.isEmpty else { return .success(request) }
        return withBody(bytes, request, limits)
    }

    private static func withBody(
        _ bytes: [UInt8], _ request: HTTPRequest, _ limits: HTTPEdgeLimits
    ) -> Result<HTTPRequest, Refusal> {
        guard bytes.count <= limits.maximumBodyByteCount else {
            return .failure(Refusal(problem: .contentTooLarge(limit: limits.maximumBodyByteCount)))
        }
        if let type = request.header("content-type"), !HTTPMediaType.isJSON(type) {
            return .failure(Refusal(problem: .unsupportedMediaType(type)))
        }
        do {
            var request = request
            let json = try JSONReader.read(bytes, limits: JSONLimits(maximumByteCount: limits.maximumBodyByteCount))
            request.body = .json(json)
            return .success(request)
        } catch {
            return .failure(Refusal(problem: .malformedJSON("the body is \(error)")))
        }
    }
}
