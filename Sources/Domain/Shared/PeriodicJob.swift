import Outbox
import Ports

/// Runs a job again and again, an interval apart, until the task is cancelled or the process ends. A failure is logged
/// and ends that round only.
func runPeriodically(
    _ name: String, every interval: Nanoseconds, _ ports: ServicePorts, job: () async throws -> Void
) async throws {
    while true {
        try await ports.clock.sleep(for: interval)
        do {
            try await job()
        } catch  where error.endsProcess {
            throw error
        } catch {
            ports.log.log(
                .warning, "background job failed",
                [LogField("job", name), LogField("error", String(describing: error))])
        }
    }
}
