package check

var AuthPrincipal = register(Check{Code: "auth.principal", Stage: StageAuthentication, Severity: Step, Title: "The device is identified"})

var AuthThing = register(Check{Code: "auth.thing", Stage: StageAuthentication, Severity: Step, Title: "The connection belongs to a thing"})

var ThingNotAttached = register(Check{Code: "auth.thing_not_attached", Stage: StageAuthentication, Severity: Note, Title: "The connection belongs to no thing"})

var AuthorizerNotSelected = register(Check{Code: "authorizer.not_selected", Stage: StageAuthentication, Severity: Refusal, Title: "No custom authorizer is selected"})

var AuthorizerNotBuilt = register(Check{Code: "authorizer.not_built", Stage: StageAuthentication, Severity: Refusal, Title: "Custom authorizers are not built yet"})

var SigV4NotBuilt = register(Check{Code: "sigv4.not_built", Stage: StageAuthentication, Severity: Refusal, Title: "Signed device requests are not built yet"})
