import Foundation

/// What the environment says of a run of the suite.
enum ContractEnvironment {
    /// A variable that is set and not empty.
    static func variable(_ name: String) -> String? {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
        return value
    }
}
