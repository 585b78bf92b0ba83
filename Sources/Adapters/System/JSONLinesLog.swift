import AdapterJSON
public import Ports

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Structured log lines on a file descriptor: one JSON object a line, written with one `write` each.
public struct JSONLinesLog: ServiceLog {
    public let minimumLevel: LogLevel
    private let service: String
    private let clock: SystemClock
    private let fileDescriptor: Int32

    /// - Parameters:
    ///   - service: the member `service` of every line.
    ///   - fileDescriptor: standard error unless told otherwise.
    public init(service: String, minimumLevel: LogLevel = .info, fileDescriptor: Int32 = 2) {
        self.service = service
        self.minimumLevel = minimumLevel
        self.fileDescriptor = fileDescriptor
        clock = SystemClock()
    }

    public func write(_ level: LogLevel, _ message: String, _ fields: [LogField]) {
        var members = [
            JSONMember("time", .string(RFC3339.text(clock.now))), JSONMember("level", .string("\(level)")),
            JSONMember("service", .string(service)), JSONMember("message", .string(message)),
        ]
        for field in fields { members.append(JSONMember(field.name, .string(field.value))) }
        var line = JSONWriter.bytes(.object(members))
        line.append(UInt8(ascii: "\n"))
        // A full or broken sink loses the line: there is nobody to tell.
        _ = line.withUnsafeBytes { systemWrite(fileDescriptor, $0.baseAddress, $0.count) }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
    #else
        Darwin.write(descriptor, bytes, count)
    #endif
}
