import Ports
import Synchronization

/// Whether a part of the shop can do its work, by what it needs for it.
final class Readiness: Sendable {
    /// `nil` for ready, otherwise what is wrong.
    private let parts: Mutex<[(name: String, problem: String?)]>

    /// - Parameter parts: what has to be ready; nothing is yet.
    init(_ parts: [String]) { self.parts = Mutex(parts.map { ($0, "starting") }) }

    func set(_ name: String, problem: String?) {
        parts.withLock { parts in
            guard let index = parts.firstIndex(where: { $0.name == name }) else {
                preconditionFailure("nothing called '\(name)' has to be ready")
            }
            parts[index].problem = problem
        }
    }

    var isReady: Bool { parts.withLock { $0.allSatisfy { $0.problem == nil } } }

    /// 200 when all is ready, otherwise 503, with each part's state.
    var response: HTTPResponse {
        let parts = parts.withLock { $0 }
        let isReady = parts.allSatisfy { $0.problem == nil }
        let members = parts.map { JSONMember($0.name, .string($0.problem ?? "ready")) }
        return HTTPResponse(
            isReady ? 200 : 503,
            body: .json(["status": .string(isReady ? "ready" : "not ready"), "parts": .object(members)]))
    }
}
