import Outbox
import Ports

/// What every HTTP interface of the shop shares: segments of the path, and errors turned into problem documents.
enum HTTPSupport {
    /// The path's segments: `/orders/1/items` is `["orders", "1", "items"]`.
    static func segments(of request: HTTPRequest) -> [String] {
        var path = request.path
        return path.withUTF8 { bytes in
            var segments: [String] = []
            segments.reserveCapacity(4)
            var start = 0
            for end in 0...bytes.count where end == bytes.count || bytes[end] == UInt8(ascii: "/") {
                if end > start {
                    segments.append(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self))
                }
                start = end + 1
            }
            return segments
        }
    }

    /// The UUID in a path.
    ///
    /// - Throws: 404, because an id that is no UUID names nothing.
    static func id(_ segment: String, of what: String) throws(ProblemDocument) -> UniqueID {
        guard let id = UniqueID(segment) else { throw .notFound(what, String(segment.prefix(64))) }
        return id
    }

    /// Answers with what `body` returns; what it throws becomes a problem document.
    ///
    /// - Parameter operations: those of the service; what else it might have been asked.
    static func answer(
        _ ports: ServicePorts, _ request: HTTPRequest, _ operations: [HTTPOperation],
        _ body: () async throws -> HTTPResponse
    ) async -> HTTPResponse {
        do {
            return try await body()
        } catch let problem as ProblemDocument {
            return problem.response
        } catch is NoSuchRoute {
            return noSuchRoute(request, operations)
        } catch  where error.endsProcess {
            return ProblemDocument.unavailable("the service is stopping").response
        } catch {
            ports.log.log(
                .error, "request failed",
                [
                    LogField("method", request.method.rawValue), LogField("path", request.path),
                    LogField("error", String(describing: error)),
                ])
            var response = ProblemDocument.unavailable("the request could not be completed; send it again").response
            response.headers.append(HTTPHeader("retry-after", "1"))
            return response
        }
    }

    /// 405 where the path takes other methods (RFC 9110, section 15.5.6), otherwise 404.
    private static func noSuchRoute(_ request: HTTPRequest, _ operations: [HTTPOperation]) -> HTTPResponse {
        let path = request.path
        let methods = operations.filter { $0.matches($0.method, path) }.map(\.method)
        guard !methods.isEmpty else {
            let detail = "there is no \(request.method.rawValue) \(path) here"
            return ProblemDocument(404, "Not Found", detail: detail).response
        }
        return .methodNotAllowed(request, allowed: methods)
    }
}

/// Thrown by a handler for a request that is none of its service's operations.
struct NoSuchRoute: Error {}
