import AdapterSystem
import Ports
import Synchronization

/// Counts of one part of the shop, as Prometheus reads them (text exposition format 0.0.4).
final class Metrics: Sendable {
    /// Upper bounds of the buckets of durations, in milliseconds.
    private static let buckets: [Int64] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

    private struct Duration {
        var counts = [Int](repeating: 0, count: Metrics.buckets.count + 1)
        var sum: Int64 = 0
    }

    private struct Request: Hashable, Comparable {
        let method: String
        let route: String
        let status: Int

        static func < (left: Request, right: Request) -> Bool {
            (left.route, left.method, left.status) < (right.route, right.method, right.status)
        }
    }

    private struct State {
        var requests: [Request: Int] = [:]
        var durations: [String: Duration] = [:]
        var events: [String: Int] = [:]
        var openRequests = 0
    }

    let service: String
    private let state = Mutex(State())
    /// Read when somebody asks: name, help, and value of each gauge.
    private let gauges: Mutex<[(name: String, help: String, value: @Sendable () -> Int)]> = Mutex([])

    init(service: String) { self.service = service }

    func addGauge(_ name: String, _ help: String, _ value: @escaping @Sendable () -> Int) {
        gauges.withLock { $0.append((name, help, value)) }
    }

    func requestBegan() { state.withLock { $0.openRequests += 1 } }

    func requestEnded(_ method: HTTPMethod, route: String, status: Int, span: Nanoseconds) {
        state.withLock { state in
            state.openRequests -= 1
            state.requests[Request(method: method.rawValue, route: route, status: status), default: 0] += 1
            let bucket = Self.buckets.firstIndex { span <= .milliseconds($0) } ?? Self.buckets.count
            state.durations[route, default: Duration()].counts[bucket] += 1
            state.durations[route]?.sum += span.rawValue
        }
    }

    /// Counts a request that was refused before anybody looked at its route.
    func requestRefused(status: Int) {
        state.withLock { $0.requests[Request(method: "_OTHER", route: "refused", status: status), default: 0] += 1 }
    }

    /// Counts records of one kind: `consumed`, `produced`.
    func count(_ kind: String, _ amount: Int = 1) { state.withLock { $0.events[kind, default: 0] += amount } }

    // MARK: Text

    var text: String {
        var lines: [String] = []
        appendRequests(to: &lines)
        appendProcess(to: &lines)
        for gauge in gauges.withLock({ $0 }) {
            lines += ["# HELP \(gauge.name) \(gauge.help)", "# TYPE \(gauge.name) gauge"]
            lines.append("\(gauge.name){\(label)} \(gauge.value())")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var label: String { "service=\"\(service)\"" }

    private func appendRequests(to lines: inout [String]) {
        let state = state.withLock { $0 }
        lines += ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
        for request in state.requests.keys.sorted() {
            lines.append(
                "http_requests_total{\(label),method=\"\(request.method)\",route=\"\(request.route)\","
                    + "status=\"\(request.status)\"} \(state.requests[request] ?? 0)")
        }
        let name = "http_request_duration_seconds"
        lines += ["# HELP \(name) From the request to its answer.", "# TYPE \(name) histogram"]
        for route in state.durations.keys.sorted() {
            guard let duration = state.durations[route] else { continue }
            var total = 0
            for (index, bound) in Self.buckets.enumerated() {
                total += duration.counts[index]
                lines.append(
                    "\(name)_bucket{\(label),route=\"\(route)\",le=\"\(Self.seconds(.milliseconds(bound)))\"} \(total)")
            }
            total += duration.counts[Self.buckets.count]
            lines.append("\(name)_bucket{\(label),route=\"\(route)\",le=\"+Inf\"} \(total)")
            lines.append("\(name)_sum{\(label),route=\"\(route)\"} \(Self.seconds(Nanoseconds(duration.sum)))")
            lines.append("\(name)_count{\(label),route=\"\(route)\"} \(total)")
        }
        lines += ["# HELP http_requests_open Requests under way.", "# TYPE http_requests_open gauge"]
        lines.append("http_requests_open{\(label)} \(state.openRequests)")
        lines += ["# HELP events_total Records of the event log, by what was done.", "# TYPE events_total counter"]
        for kind in state.events.keys.sorted() {
            lines.append("events_total{\(label),kind=\"\(kind)\"} \(state.events[kind] ?? 0)")
        }
    }

    private func appendProcess(to lines: inout [String]) {
        let usage = ProcessUsage.now()
        lines += [
            "# HELP process_cpu_seconds_total Time on a processor, of the whole process.",
            "# TYPE process_cpu_seconds_total counter",
            "process_cpu_seconds_total \(Self.seconds(usage.processorTime))",
            "# HELP process_resident_memory_bytes Memory of the whole process now.",
            "# TYPE process_resident_memory_bytes gauge", "process_resident_memory_bytes \(usage.residentByteCount)",
            "# HELP process_peak_memory_bytes The most memory that the whole process has had.",
            "# TYPE process_peak_memory_bytes gauge", "process_peak_memory_bytes \(usage.peakByteCount)",
            "# HELP process_info The process that answers: parts that share one share its figures.",
            "# TYPE process_info gauge", "process_info{\(label),pid=\"\(usage.processID)\"} 1",
        ]
    }

    /// Seconds with six places, without binary fractions.
    static func seconds(_ span: Nanoseconds) -> String {
        let microseconds = span.rawValue / 1_000
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
