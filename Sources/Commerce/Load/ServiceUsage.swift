import Ports

/// What the process behind a service has used, by its own `/metrics`.
struct ServiceUsage: Hashable, Sendable {
    let processID: String
    /// Microseconds on a processor.
    let processorMicroseconds: Int64
    let peakByteCount: Int64

    /// Reads Prometheus text; `nil` when it does not tell.
    init?(_ text: String) {
        var values: [Substring: Substring] = [:]
        var processID: Substring?
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            let name = line[..<space]
            values[name] = line[line.index(after: space)...]
            if name.hasPrefix("process_info{"), let mark = name.range(of: "pid=\"") {
                processID = name[mark.upperBound...].prefix { $0 != "\"" }
            }
        }
        guard let processID, let processor = values["process_cpu_seconds_total"].flatMap(Self.microseconds),
            let peak = values["process_peak_memory_bytes"].flatMap({ Int64($0) })
        else { return nil }
        self.processID = String(processID)
        processorMicroseconds = processor
        peakByteCount = peak
    }

    private static func microseconds(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ".")
        guard parts.count == 2, parts[1].count == 6, let seconds = Int64(parts[0]), let rest = Int64(parts[1]) else {
            return nil
        }
        return seconds * 1_000_000 + rest
    }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? { self.ranges(of: text).first }
}
