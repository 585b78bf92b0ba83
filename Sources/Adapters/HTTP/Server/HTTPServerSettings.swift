public import Ports

/// How an HTTP server listens, and what it puts up with.
public struct HTTPServerSettings: Sendable {
    /// The IPv4 address to listen at: `0.0.0.0` for all, `127.0.0.1` for this machine only.
    public var host = "0.0.0.0"
    /// Zero lets the system choose; ``RunningHTTPServer/port`` says what it chose.
    public var port: UInt16
    public var limits = HTTPEdgeLimits()
    /// The most connections at once. More wait in the system's queue until one ends.
    public var connectionLimit = 1_024
    /// How long a request may take from its first byte to its last; then the connection is closed.
    public var requestTimeout: Nanoseconds = .seconds(30)
    /// How long a connection may stay without a request.
    public var idleTimeout: Nanoseconds = .seconds(60)
    /// How long a client may take nothing of an answer.
    public var writeTimeout: Nanoseconds = .seconds(30)
    /// How often an event stream carries a comment when it carries nothing else.
    public var heartbeatInterval: Nanoseconds = .seconds(15)
    /// Bytes of an event stream that wait for a slow client before its handler waits, too.
    public var streamBufferByteCount = 65_536
    /// Told of each request that was refused for its head or its body before a handler saw it, on a thread of the server's: must
    /// not wait. libmicrohttpd refuses some by itself, in HTML, and tells nobody.
    public var onRefusal: @Sendable (ProblemDocument) -> Void = { _ in }

    public init(port: UInt16) { self.port = port }
}

/// A server that listens until it is stopped.
public protocol RunningHTTPServer: AnyObject, Sendable {
    /// The port that it listens at.
    var port: UInt16 { get }
    /// Connections that are open now.
    var connectionCount: Int { get }

    /// Stops in good order: takes no new connection, ends event streams, lets requests that are under way finish, and after
    /// `drainTimeout` breaks what is left. Returns when all is closed.
    func stop(drainTimeout: Nanoseconds) async

    /// Stops at once and breaks every connection, as the death of the process would. For tests of what clients see then.
    func kill() async
}

/// Why a server does not listen.
public struct HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    public let host: String
    public let port: UInt16
    public let reason: String

    public var description: String { "cannot listen at \(host):\(port): \(reason)" }
}

/// Starts the HTTP server of this build: libmicrohttpd's with the package trait `Production`, otherwise the one on the
/// reactor. Both keep to the same rules, which one suite checks.
public enum HTTPServer {
    /// - Throws: ``HTTPServerError`` when the port cannot be had.
    public static func start(
        _ settings: HTTPServerSettings, _ handler: any HTTPHandler
    ) throws -> any RunningHTTPServer {
        #if Production
            try MicrohttpdServer(settings, handler)
        #elseif os(Linux)
            try ReactorHTTPServer(settings, handler)
        #else
            throw HTTPServerError(
                host: settings.host, port: settings.port, reason: "this system has no server in this build; use Linux")
        #endif
    }

    /// What ``start(_:_:)`` starts, for people.
    public static var implementation: String {
        #if Production
            "libmicrohttpd"
        #else
            "built-in"
        #endif
    }
}
