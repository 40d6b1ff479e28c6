package probe

// AsDevice says whether this is the connection that does what the device does,
// from TCP to the messages. The others try something else, and may fail.
func (c Connection) AsDevice() bool { return c.Purpose == forDevice }
