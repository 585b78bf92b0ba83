#if Production
    import Foundation
    import FoundationNetworking

    /// Connect's REST interface. Source: Kafka documentation, "Kafka Connect", REST API.
    struct ConnectWorker: Sendable {
        private let base: URL

        init(_ text: String) throws {
            guard let url = URL(string: text) else { throw ContractFailure("CONNECT_URL is no URL: \(text)") }
            base = url
        }

        /// Sends a request and waits for its answer.
        ///
        /// - Throws: ``ContractFailure`` for a refusal, errors of the connection for a worker that is down.
        @discardableResult
        func send(_ method: String, _ path: String, _ body: [String: String]? = nil) async throws -> Any? {
            var request = URLRequest(url: base.appendingPathComponent(path))
            request.httpMethod = method
            request.timeoutInterval = 30
            if let body {
                request.httpBody = try JSONSerialization.data(withJSONObject: body)
                request.setValue("application/json", forHTTPHeaderField: "Content-Type")
            }
            let (data, response) = try await URLSession.shared.data(for: request)
            guard let status = (response as? HTTPURLResponse)?.statusCode, (200..<300).contains(status) else {
                throw ContractFailure("\(method) \(path) was refused: \(String(decoding: data, as: UTF8.self))")
            }
            return try? JSONSerialization.jsonObject(with: data)
        }

        /// The states of a connector and its task; `nil` while they are not known.
        func states(_ connector: String) async throws -> (connector: String?, task: String?) {
            let answer = try await send("GET", "connectors/\(connector)/status") as? [String: Any]
            let task = (answer?["tasks"] as? [[String: Any]])?.first
            return ((answer?["connector"] as? [String: Any])?["state"] as? String, task?["state"] as? String)
        }

        func debeziumVersion() async throws -> String {
            let plugins = try await send("GET", "connector-plugins") as? [[String: Any]] ?? []
            let plugin = plugins.first { ($0["class"] as? String)?.hasSuffix("PostgresConnector") == true }
            return "Debezium \(plugin?["version"] as? String ?? "of unknown version")"
        }
    }
#endif
