import Foundation
import SimCore

/// `simulate bench`: nanoseconds per operation, for comparison with other simulators.
enum BenchCommand: Command {
    static let name = "bench"
    static let summary = "measure the simulator: nanoseconds per operation"
    static let help = """
        simulate bench [--only NAME] [--repeat N] [--scale N] [--json]: measures the same work that other simulators are
        measured on. Each figure is the best of N runs (default 3). A build with optimisation is expected (-c release).

          --scale N            N times the work of each run (default 1), to see that memory does not grow with it

        With --json, peak_rss_bytes is the most memory that the process has had so far.
        """

    /// Every benchmark, with so many times its usual work.
    static func benchmarks(scale: Int) -> [Benchmark] {
        [
            KernelBenchmarks.timers(processCount: 1, sleepCount: 1_000_000 * scale),
            KernelBenchmarks.timers(processCount: 1_000, sleepCount: 1_000_000 * scale),
            KernelBenchmarks.events(handlerCount: 1, eventCount: 1_000_000 * scale),
            KernelBenchmarks.events(handlerCount: 1_000, eventCount: 1_000_000 * scale),
            KernelBenchmarks.pingPong(pairCount: 100, roundTripCount: 100_000 * scale),
            KernelBenchmarks.explore("random", .random, taskCount: 100, stepCount: 20, runCount: 500 * scale),
            KernelBenchmarks.explore(
                "pct", .priorities(depth: 3, stepCount: 2_000), taskCount: 100, stepCount: 20, runCount: 500 * scale),
            SystemBenchmarks.kafka(recordCount: 100_000 * scale),
            SystemBenchmarks.shop(orderCount: 1_000 * scale),
        ]
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        var arguments = arguments
        let isJSON = arguments.takeFlag("--json")
        let only = try arguments.takeValue("--only")
        let repeats = try arguments.takeInteger("--repeat", in: 1...100) ?? 3
        let benchmarks = benchmarks(scale: try arguments.takeInteger("--scale", in: 1...1_000) ?? 1)
        try arguments.finish()
        let chosen = benchmarks.filter { only == nil || $0.name == only }
        guard !chosen.isEmpty else {
            throw UsageError(
                "unknown benchmark '\(only ?? "")'; there are \(benchmarks.map(\.name).joined(separator: ", "))")
        }
        return try measure(chosen, repeats: repeats, isJSON: isJSON)
    }

    /// Measures each benchmark and prints what it took; ends at the first whose run does not hold.
    static func measure(_ benchmarks: [Benchmark], repeats: Int, isJSON: Bool) throws -> ExitCode {
        for benchmark in benchmarks {
            var best = Double.infinity
            for _ in 0..<repeats {
                let start = Stopwatch.nanoseconds()
                let report = try benchmark.run()
                let elapsed = Stopwatch.nanoseconds() - start
                guard report.held else {
                    StandardError.print("benchmark \(benchmark.name) failed: \(report.violations)")
                    return .violated
                }
                best = min(best, Double(elapsed) / Double(benchmark.operationCount))
            }
            let rounded = (best * 10).rounded() / 10
            if isJSON {
                JSONLine.print([
                    "name": benchmark.name, "ns_per_op": rounded, "peak_rss_bytes": Stopwatch.peakResidentBytes(),
                ])
            } else {
                StandardOutput.print("\(benchmark.name.padded(to: 22)) \(rounded) ns")
            }
        }
        return .held
    }
}
