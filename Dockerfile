FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags=-s -o /slipway .

# No shell, no package manager, no root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /slipway /slipway
COPY LICENSE /LICENSE
USER 65532:65532
ENTRYPOINT ["/slipway"]
