import Ports
import SimCore

@main
enum Simulate {
    static func main() {
        let all = [
            KernelBenchmarks.timers(processCount: 1, sleepCount: 1_000_000),
            KernelBenchmarks.timers(processCount: 1000, sleepCount: 2_000_000),
            KernelBenchmarks.events(handlerCount: 1, eventCount: 2_000_000),
            KernelBenchmarks.events(handlerCount: 1000, eventCount: 2_000_000),
            KernelBenchmarks.pingPong(pairCount: 100, roundTripCount: 200_000),
            KernelBenchmarks.explore("random", .random, taskCount: 100, stepCount: 20, runCount: 300),
            KernelBenchmarks.explore("pct", .priorities(depth: 3, stepCount: 2000), taskCount: 100, stepCount: 20, runCount: 300),
        ]
        let wanted = CommandLine.arguments.dropFirst().first
        for benchmark in all where wanted == nil || benchmark.name == wanted! {
            let clock = ContinuousClock()
            let start = clock.now
            let report = benchmark.run()
            let elapsed = (clock.now - start).components
            let ns = elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000
            print(benchmark.name, ns / Int64(benchmark.operationCount), report.violations.first.map(String.init(describing:)) ?? "ok", report.eventCount, report.traceHash)
        }
    }
}
