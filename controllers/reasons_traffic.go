package controllers

// Reasons of a TrafficSplit's conditions that no other kind has.
const (
	// reasonConflicted says that an older TrafficSplit splits the same Service's traffic in the same rule; the message
	// names it. Remove one of the two, or give them different rules.
	reasonConflicted = "Conflicted"
	// reasonApplied says that every route carries the split and its data plane does it. Nothing to do.
	reasonApplied = "Applied"
	// reasonNotStarted says that nothing was written for the split because its spec cannot be followed; see Accepted.
	reasonNotStarted = "NotStarted"
	// reasonFeathering says that a backend enters or leaves at a weight too small to matter, until the data plane is known
	// to have followed. If it stays so, status.routes says what is waited for.
	reasonFeathering = "Feathering"
	// reasonContested says that somebody writes over the split again and again, and that it is put back more and more
	// rarely. The message names the field manager: have it ignore the backendRefs, or apply config/admission.
	reasonContested = "Contested"
	// reasonRepaired is the reason of the event that says whose write over the split was put back.
	reasonRepaired = "Repaired"
)
