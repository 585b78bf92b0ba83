#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread of the operating system, for work that blocks and so must stay off Swift's cooperative pool.
public enum DedicatedThread {
    /// Starts a detached thread that runs `body` once.
    ///
    /// - Parameter name: what debuggers and `top -H` show; the system keeps its first 15 bytes.
    /// - Precondition: the system can start a thread.
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start = ThreadStart(name: name, body: body)
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let result = pthread_create(&thread, nil, threadMain, Unmanaged.passRetained(start).toOpaque())
        precondition(result == 0, "the system cannot start thread '\(name)': error \(result)")
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

#if canImport(Darwin)
    private func threadMain(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        runThread(argument)
        return nil
    }
#else
    private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { preconditionFailure("a thread was started without its body") }
        runThread(argument)
        return nil
    }
#endif

private func runThread(_ argument: UnsafeMutableRawPointer) {
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    #if os(Linux)
        nameCurrentThread(start.name)
    #endif
    start.body()
}

#if os(Linux)
    /// Best effort: the name helps whoever looks, nothing depends on it.
    private func nameCurrentThread(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        _ = write(descriptor, bytes, bytes.count)
        close(descriptor)
    }
#endif
