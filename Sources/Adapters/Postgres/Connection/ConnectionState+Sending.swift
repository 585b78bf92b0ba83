#if Production
    import Clibpq
    import Ports

    extension ConnectionState {
        /// Sends one command; false when libpq could not take it, which means that the connection is lost.
        mutating func send(
            _ command: Pipeline.Command, on pointer: OpaquePointer, _ execution: inout PipelineExecution,
            _ newNames: inout [String: String]
        ) -> Bool {
            switch command {
            case .control(let sql):
                guard let name = prepare(sql, types: [], on: pointer, &execution, &newNames) else { return false }
                execution.expected.append(.control(isCommit: sql == "COMMIT"))
                return PQsendQueryPrepared(pointer, name, 0, nil, nil, nil, 1) == 1
            case .statement(let statement, let parameters):
                let types = statement.parameters.map(\.objectID)
                guard let name = prepare(statement.sql, types: types, on: pointer, &execution, &newNames) else {
                    return false
                }
                execution.expected.append(.statement(columns: statement.resultColumns))
                return parameters.withLists { count, values, lengths, formats in
                    PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 1) == 1
                }
            case .text(let sql, let parameters):
                execution.expected.append(.text)
                return Self.sendText(sql, parameters, on: pointer)
            }
        }

        /// The name of the prepared statement of that text, which is prepared in this pipeline when it is new.
        private mutating func prepare(
            _ sql: String, types: [Oid], on pointer: OpaquePointer, _ execution: inout PipelineExecution,
            _ newNames: inout [String: String]
        ) -> String? {
            if let name = preparedName(sql) ?? newNames[sql] { return name }
            let name = newPreparedName()
            guard PQsendPrepare(pointer, name, sql, Int32(types.count), types) == 1 else { return nil }
            execution.expected.append(.preparation(sql: sql, name: name))
            newNames[sql] = name
            return name
        }

        private static func sendText(_ sql: String, _ parameters: [String?], on pointer: OpaquePointer) -> Bool {
            let copies = parameters.map { $0.map { Array($0.utf8CString) } }
            var storage: [CChar] = []
            var offsets: [Int?] = []
            for copy in copies {
                offsets.append(copy == nil ? nil : storage.count)
                storage += copy ?? []
            }
            storage.append(0)
            return storage.withUnsafeBufferPointer { buffer in
                let values = offsets.map { offset in offset.flatMap { buffer.baseAddress?.advanced(by: $0) } }
                return PQsendQueryParams(pointer, sql, Int32(values.count), nil, values, nil, nil, 0) == 1
            }
        }
    }
#endif
