import AdapterJSON
import AdapterSystem
import Ports

/// The bytes of responses.
enum ResponseEncoder {
    /// The body's bytes and its media type; `nil` for a body that is written piece by piece.
    static func body(_ body: HTTPBody) -> (bytes: [UInt8], contentType: String?)? {
        switch body {
        case .none: ([], nil)
        case .json(let value): (JSONWriter.bytes(value), HTTPMediaType.json)
        case .text(let text, let contentType): (Array(text.utf8), contentType)
        case .events: nil
        }
    }

    /// A whole response with a body of known length.
    static func whole(
        _ response: HTTPResponse, _ body: (bytes: [UInt8], contentType: String?), keepsAlive: Bool,
        omitsBody: Bool = false
    ) -> [UInt8] {
        var output = head(response, contentType: body.contentType, keepsAlive: keepsAlive)
        // No length with 204 and 304, which have no body (RFC 9110, section 8.6).
        if response.status != 204, response.status != 304 {
            HeaderLines.write(HTTPHeader("content-length", String(body.bytes.count)), to: &output)
        }
        output += [0x0D, 0x0A]
        if !omitsBody { output += body.bytes }
        return output
    }

    /// The head of an event stream.
    static func streamHead(_ response: HTTPResponse, isChunked: Bool) -> [UInt8] {
        var output = head(response, contentType: HTTPMediaType.eventStream, keepsAlive: isChunked)
        HeaderLines.write(HTTPHeader("cache-control", "no-store"), to: &output)
        // Proxies of the nginx family collect a response unless told not to.
        HeaderLines.write(HTTPHeader("x-accel-buffering", "no"), to: &output)
        if isChunked { HeaderLines.write(HTTPHeader("transfer-encoding", "chunked"), to: &output) }
        output += [0x0D, 0x0A]
        return output
    }

    private static func head(_ response: HTTPResponse, contentType: String?, keepsAlive: Bool) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(512)
        output.append(contentsOf: "HTTP/1.1 \(response.status) \(reason(response.status))\r\n".utf8)
        for header in response.headers { HeaderLines.write(header, to: &output) }
        if let contentType, response.header("content-type") == nil {
            HeaderLines.write(HTTPHeader("content-type", contentType), to: &output)
        }
        HeaderLines.write(HTTPHeader("date", HTTPDate.now()), to: &output)
        if !keepsAlive { HeaderLines.write(HTTPHeader("connection", "close"), to: &output) }
        return output
    }

    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 400: "Bad Request"
        case 404: "Not Found"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        default: "Status \(status)"
        }
    }
}
