from django.contrib import admin
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

from docs.models import Document


def index(request):
    return HttpResponse(f"{Document.objects.count()} documents")


def stream(request):
    return StreamingHttpResponse(f"{d.title}\n" for d in Document.objects.all())


def download(request, key):
    return FileResponse(Document.objects.get(pk=key).file.open("rb"))


urlpatterns = [
    path("", index),
    path("stream/", stream),
    path("download/<int:key>/", download),
    path("admin/", admin.site.urls),
]
