#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

/// What the command has to say, and whether all of it arrived. Nothing is buffered: each text is there when it is written.
///
/// Written by the main thread only.
enum StandardOutput {
    /// The error number of the first write that failed; nothing is written after it, so that the output has no hole.
    private nonisolated(unsafe) static var errorNumber: Int32?

    /// Why not all of the output arrived; `nil` when it did.
    static var failure: String? { errorNumber.map { String(cString: strerror($0)) } }

    /// Writes a line.
    static func print(_ line: some CustomStringConvertible) { write("\(line)\n") }

    /// Writes a text as it is.
    static func write(_ text: String) {
        guard errorNumber == nil else { return }
        errorNumber = writeAll(text, to: STDOUT_FILENO)
    }
}

/// Lines for a person whose output goes elsewhere. One that cannot be written is lost: there is nobody left to be told.
enum StandardError {
    /// Writes a line that begins with the command's name.
    static func print(_ line: some CustomStringConvertible) { write("simulate: \(line)\n") }

    /// Writes a text as it is.
    static func write(_ text: String) { _ = writeAll(text, to: STDERR_FILENO) }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

/// - Returns: the error number when not all of it could be written.
private func writeAll(_ text: String, to descriptor: Int32) -> Int32? {
    var text = text
    return text.withUTF8 { bytes -> Int32? in
        var position = 0
        while position < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + position, bytes.count - position)
            if count >= 0 {
                position += count
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
