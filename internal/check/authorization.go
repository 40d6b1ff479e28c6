package check

var AuthzConnect = register(Check{Code: "authz.connect", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow this connection"})

var AuthzConnectNoStatement = register(Check{Code: "authz.connect.no_statement", Stage: StageAuthorization, Severity: Refusal, Title: "No policy statement has iot:Connect"})

var AuthzConnectResourceType = register(Check{Code: "authz.connect.resource_type", Stage: StageAuthorization, Severity: Refusal, Title: "iot:Connect is allowed on the wrong type of resource"})

var AuthzConnectClientID = register(Check{Code: "authz.connect.client_id", Stage: StageAuthorization, Severity: Refusal, Title: "The policies allow other client IDs"})

var AuthzConnectClientIDEmpty = register(Check{Code: "authz.connect.client_id_empty", Stage: StageAuthorization, Severity: Refusal, Title: "The policies can't match a generated client ID"})

var AuthzWillPublish = register(Check{Code: "authz.will.publish", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow the topic of the last will"})

var AuthzWillRetain = register(Check{Code: "authz.will.retain", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow a retained last will"})

var AuthzPublish = register(Check{Code: "authz.publish", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow this publish"})

var AuthzPublishResourceType = register(Check{Code: "authz.publish.resource_type", Stage: StageAuthorization, Severity: Refusal, Title: "iot:Publish is allowed on the wrong type of resource"})

var AuthzRetainPublish = register(Check{Code: "authz.retain_publish", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow a retained message"})

var AuthzSubscribe = register(Check{Code: "authz.subscribe", Stage: StageAuthorization, Severity: Refusal, Title: "The policies do not allow this subscription"})

var AuthzSubscribeResourceType = register(Check{Code: "authz.subscribe.resource_type", Stage: StageAuthorization, Severity: Refusal, Title: "iot:Subscribe is allowed on the wrong type of resource"})

var AuthzReceive = register(Check{Code: "authz.receive", Stage: StageAuthorization, Severity: Warning, Title: "A message was not delivered: the policies do not allow it"})

var AuthzReceiveMissing = register(Check{Code: "authz.receive_missing", Stage: StageAuthorization, Severity: Warning, Title: "The subscription can never receive a message"})

var PolicyNoneAttached = register(Check{Code: "policy.none_attached", Stage: StageAuthorization, Severity: Refusal, Title: "No policy is attached"})

var PolicyVarUndefined = register(Check{Code: "policy.var.undefined", Stage: StageAuthorization, Severity: Refusal, Title: "A policy variable has no value"})

var PolicyARNAccountMismatch = register(Check{Code: "policy.arn.account_mismatch", Stage: StageAuthorization, Severity: Refusal, Title: "A policy names another account"})

var PolicyARNRegionMismatch = register(Check{Code: "policy.arn.region_mismatch", Stage: StageAuthorization, Severity: Refusal, Title: "A policy names another Region"})

var PolicyNoAction = register(Check{Code: "policy.no_action", Stage: StageAuthorization, Severity: Refusal, Title: "No statement has the action"})

var PolicyWrongResourceType = register(Check{Code: "policy.wrong_resource_type", Stage: StageAuthorization, Severity: Refusal, Title: "A statement names the wrong type of resource"})

var PolicyMQTTWildcard = register(Check{Code: "policy.mqtt_wildcard", Stage: StageAuthorization, Severity: Refusal, Title: "A policy uses an MQTT wildcard as its own"})

var PolicyFilterBroader = register(Check{Code: "policy.filter_broader_than_grant", Stage: StageAuthorization, Severity: Refusal, Title: "The filter is broader than what is granted"})

var PolicyCase = register(Check{Code: "policy.case", Stage: StageAuthorization, Severity: Refusal, Title: "Upper and lower case differ"})

var PolicySlash = register(Check{Code: "policy.slash", Stage: StageAuthorization, Severity: Refusal, Title: "A slash too many or too few"})

var PolicyCondition = register(Check{Code: "policy.condition", Stage: StageAuthorization, Severity: Refusal, Title: "A condition is not fulfilled"})

var PolicyConditionKeyAbsent = register(Check{Code: "policy.condition_key_absent", Stage: StageAuthorization, Severity: Refusal, Title: "A condition asks for a key that this request does not have"})

var PolicyExplicitDeny = register(Check{Code: "policy.explicit_deny", Stage: StageAuthorization, Severity: Refusal, Title: "A policy statement denies it"})

var PolicyDenySkipped = register(Check{Code: "policy.deny_skipped_unresolved", Stage: StageAuthorization, Severity: Warning, Title: "A Deny does not apply, because its variable has no value"})

var PolicyGroupNotApplied = register(Check{Code: "policy.group_not_applied", Stage: StageAuthorization, Severity: Warning, Title: "A group policy does not apply to this connection"})

var PolicyPrefixOldJobs = register(Check{Code: "policy.prefix_old_jobs", Stage: StageAuthorization, Severity: Refusal, Title: "A policy uses the old prefix of the jobs actions"})

var PolicyRetainMissing = register(Check{Code: "policy.retain_missing", Stage: StageAuthorization, Severity: Refusal, Title: "iot:RetainPublish is missing"})

var PolicySubscribeDenyHole = register(Check{Code: "policy.subscribe_deny_hole", Stage: StageAuthorization, Severity: Warning, Title: "A Deny on a topic filter is passed by a wider filter"})

var PolicyShareForm = register(Check{Code: "policy.share_form", Stage: StageAuthorization, Severity: Refusal, Title: "A shared subscription needs its own grant"})

var PolicyNotDefaultVersion = register(Check{Code: "policy.not_default_version", Stage: StageAuthorization, Severity: Refusal, Title: "Another version of the policy would allow it"})

var PolicyRecentChange = register(Check{Code: "policy.recent_change", Stage: StageAuthorization, Severity: Note, Title: "A policy changed a moment ago"})

var PolicyOverlyPermissive = register(Check{Code: "policy.overly_permissive", Stage: StageAuthorization, Severity: Warning, Title: "A policy allows everything"})

var PolicyClientIDInjection = register(Check{Code: "policy.client_id_injection", Stage: StageAuthorization, Severity: Warning, Title: "A device can choose what it is allowed"})
