import Ports

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What this process has used so far.
struct ProcessUsage {
    let processID: Int
    let processorTime: Nanoseconds
    let residentByteCount: Int
    let peakByteCount: Int

    static func now() -> ProcessUsage {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
            // Linux counts the peak in kibibytes.
            let peak = usage.ru_maxrss * 1_024
        #else
            getrusage(RUSAGE_SELF, &usage)
            let peak = usage.ru_maxrss
        #endif
        return ProcessUsage(
            processID: Int(getpid()), processorTime: span(usage.ru_utime) + span(usage.ru_stime),
            residentByteCount: resident() ?? peak, peakByteCount: peak)
    }

    private static func span(_ time: timeval) -> Nanoseconds {
        Nanoseconds(Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1_000)
    }

    /// The second number of `/proc/self/statm`, in pages.
    private static func resident() -> Int? {
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = fread(&bytes, 1, bytes.count, file)
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int(words[1]).map { $0 * Int(getpagesize()) } : nil
    }
}
